"""How outcomes are told."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from llmdeploy.runtime.smoke import report
from llmdeploy.runtime.smoke.model import Outcome

FINE = Outcome("chat", "direct", "live", True, "GET /health is 200", 0.25)
WRONG = Outcome("chat", "/chat", "schema", False, 'not JSON: "<\x00 & é', 1.5)


def test_the_lines_of_the_table_are_aligned() -> None:
    lines = [report.row(outcome, width=len("chat direct")) for outcome in (FINE, WRONG)]
    assert lines[0].split() == ["ok", "chat", "direct", "live", "0.25", "s", "GET", "/health", "is", "200"]
    assert lines[1].startswith("FAIL  chat /chat ")
    assert lines[0].index("0.25") == lines[1].index("1.50")


def test_json_has_every_field_and_the_verdict() -> None:
    assert json.loads(report.as_json([FINE], None))["ok"] is True
    assert json.loads(report.as_json([FINE, WRONG], None))["ok"] is False
    assert json.loads(report.as_json([FINE], "nginx is gone"))["ok"] is False
    assert json.loads(report.as_json([], None))["ok"] is False, "nothing asked is nothing proven"
    first = json.loads(report.as_json([FINE], None))["checks"][0]
    assert first.keys() == {"model", "via", "check", "ok", "detail", "seconds"}


def test_junit_is_xml_whatever_an_answer_says() -> None:
    suite = ElementTree.fromstring(report.junit("proj", [FINE, WRONG], "it \x1b[1mdied"))
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["3", "1", "1"]
    (failure,) = suite.iter("failure")
    assert failure.get("message") == 'not JSON: "<\ufffd & é'
    assert [case.get("name") for case in suite.iter("testcase")] == ["live", "schema", "boot"]
