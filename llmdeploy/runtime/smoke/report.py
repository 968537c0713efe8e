"""The outcomes as lines of a table, as JSON and as JUnit XML."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from xml.etree import ElementTree

from msgspec.structs import asdict

from llmdeploy.runtime.smoke.model import Outcome


def row(outcome: Outcome, width: int) -> str:
    """Return one outcome as a line; `width` is that of the longest model and way."""
    mark = "ok  " if outcome.ok else "FAIL"
    who = f"{outcome.model} {outcome.via}"
    return f"{mark}  {who:<{width}}  {outcome.check:<6}  {outcome.seconds:>6.2f} s  {outcome.detail}"


def faults(outcomes: Sequence[Outcome]) -> list[str]:
    return [f"{each.model} {each.via}: {each.check}: {each.detail}" for each in outcomes if not each.ok]


def as_json(outcomes: Sequence[Outcome], error: str | None) -> str:
    """`error` is why nothing more could be asked."""
    passed = error is None and bool(outcomes) and all(each.ok for each in outcomes)
    document = {"ok": passed, "error": error, "checks": [asdict(each) for each in outcomes]}
    return json.dumps(document, indent=2)


def junit(name: str, outcomes: Sequence[Outcome], error: str | None) -> str:
    """Return the report that CI systems read: a test suite for the project, a test case for each check."""
    failures = sum(not each.ok for each in outcomes)
    suite = ElementTree.Element(
        "testsuite",
        name=f"llmdeploy smoke-test {name}",
        tests=str(len(outcomes) + bool(error)),
        failures=str(failures),
        errors=str(int(bool(error))),
        time=f"{sum(each.seconds for each in outcomes):.3f}",
    )
    for each in outcomes:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{each.model} {each.via}",
            name=each.check,
            time=f"{each.seconds:.3f}",
        )
        if not each.ok:
            ElementTree.SubElement(case, "failure", message=_printable(each.detail))
    if error:
        case = ElementTree.SubElement(suite, "testcase", classname=name, name="boot", time="0")
        ElementTree.SubElement(case, "error", message=_printable(error))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """XML has no way to write most control characters."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
