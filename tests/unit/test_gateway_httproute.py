"""What an HTTPRoute lets through, and as what."""

from __future__ import annotations

import pytest
from support.kube_plans import ROUTE, TABLE

from llmdeploy.gateways import httproute
from llmdeploy.plan.model import Gateway


def upstream(rules: list[httproute.Dict], path: str) -> str | None:
    """Answer as the Gateway API says; a rule that is exact wins over a prefix."""
    for rule in sorted(rules, key=lambda rule: rule["matches"][0]["path"]["type"]):
        rewrite = rule["filters"][0]["urlRewrite"]["path"]
        for match in (match["path"] for match in rule["matches"]):
            value = match["value"]
            if match["type"] == "Exact" and path == value:
                return str(rewrite["replaceFullPath"])
            if match["type"] == "PathPrefix" and (path == value or path.startswith(f"{value}/")):
                return str(rewrite["replacePrefixMatch"]) + path[len(value) :]
    return None


@pytest.mark.parametrize(("path", "expected"), TABLE.items())
def test_only_the_listed_endpoints_pass(path: str, expected: str | None) -> None:
    assert upstream(httproute.rules([ROUTE], "llm-chat", 8000), path) == expected


def test_a_prefix_rewrite_stands_alone_in_its_rule() -> None:
    for rule in httproute.rules([ROUTE], "llm-chat", 8000):
        if rule["filters"][0]["urlRewrite"]["path"]["type"] == "ReplacePrefixMatch":
            assert [match["path"]["type"] for match in rule["matches"]] == ["PathPrefix"]


def test_no_answer_is_cut_short() -> None:
    rules = httproute.rules([ROUTE], "llm-chat", 8000)
    assert all(rule["timeouts"] == {"request": "0s", "backendRequest": "0s"} for rule in rules)


def test_more_rules_than_one_object_takes_are_split() -> None:
    rules = httproute.rules([ROUTE] * 12, "llm-chat", 8000)
    specs = list(httproute.specs(rules, Gateway("llm.example.com"), {"name": "llm"}))
    assert [len(spec["rules"]) for spec in specs] == [16, 16, 4]
    assert all(spec["hostnames"] == ["llm.example.com"] for spec in specs)


def test_tls_has_a_listener_of_its_own() -> None:
    plain, secure = httproute.listeners(Gateway("llm.example.com", "llm-tls"))
    assert (plain["protocol"], secure["protocol"]) == ("HTTP", "HTTPS")
    assert secure["tls"]["certificateRefs"] == [{"kind": "Secret", "name": "llm-tls"}]
    assert len(httproute.listeners(Gateway())) == 1
