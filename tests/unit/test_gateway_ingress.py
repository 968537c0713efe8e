"""What ingress-nginx makes of our Ingress: `location ~* "^PATH"` and `rewrite "(?i)PATH" TARGET break`."""

from __future__ import annotations

import re

import pytest
from support.kube_plans import ROUTE, TABLE

from llmdeploy.gateways import ingress
from llmdeploy.plan.model import Gateway


def upstream(path: str) -> str | None:
    made = ingress.spec([ROUTE], Gateway(), "nginx", lambda model: f"llm-{model}")
    target = ingress.controller_settings(Gateway())["nginx.ingress.kubernetes.io/rewrite-target"]
    # The controller sorts by length, longest first.
    paths = sorted((item["path"] for item in made["rules"][0]["http"]["paths"]), key=len, reverse=True)
    for expression in paths:
        if found := re.match(f"^{expression}", path, re.IGNORECASE):
            return target.replace("$1", found[1])
    return None


@pytest.mark.parametrize(("path", "expected"), TABLE.items())
def test_it_lets_through_what_the_httproute_does(path: str, expected: str | None) -> None:
    assert upstream(path) == expected


def test_silence_is_bounded_and_bodies_are_not_small() -> None:
    settings = ingress.controller_settings(Gateway(idle_timeout_s=900))
    assert settings["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "900"
    assert settings["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert settings["nginx.ingress.kubernetes.io/proxy-body-size"] == "64m"


def test_host_and_tls() -> None:
    made = ingress.spec([ROUTE], Gateway("llm.example.com", "llm-tls"), "nginx", str)
    assert made["rules"][0]["host"] == "llm.example.com"
    assert made["tls"] == [{"hosts": ["llm.example.com"], "secretName": "llm-tls"}]
    assert "host" not in ingress.spec([ROUTE], Gateway(), "nginx", str)["rules"][0]
