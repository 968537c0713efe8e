"""Broken specs, each wrong in one way, and near misses that must pass.

err/SUBJECT/NAME.yaml gives what err/SUBJECT/NAME.out says, and one error or warning alone beside notes. The
near miss ok/SUBJECT/NAME.yaml compiles, without the code that its broken twin gives. A spec may name the
config.json of a directory below models/, as `../../models/NAME`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdeploy.compiler import Result, compile
from llmdeploy.diagnostics import Severity
from llmdeploy.diagnostics.render import render
from llmdeploy.facts.gather import gather

HERE = Path(__file__).parent
BROKEN = sorted((HERE / "err").rglob("*.yaml"))
NEAR_MISSES = sorted((HERE / "ok").rglob("*.yaml"))


def name_of(path: Path) -> str:
    return path.relative_to(HERE).with_suffix("").as_posix()


def compiled(path: Path) -> Result:
    def facts(spec):
        return gather(spec, path.parent, path.parent / "out")

    return compile(path.read_text(encoding="utf-8"), facts=facts, file=path.name)


def findings(result: Result) -> list[str]:
    return [found.code for found in result.diagnostics if found.severity is not Severity.NOTE]


@pytest.mark.parametrize("path", BROKEN, ids=name_of)
def test_broken_spec_has_the_one_finding_that_is_written_beside_it(path, golden_text):
    result = compiled(path)
    golden_text(path.with_suffix(".out"), render(result.diagnostics, result.source, "full"))
    assert len(findings(result)) == 1


@pytest.mark.parametrize("path", NEAR_MISSES, ids=name_of)
def test_near_miss_passes(path):
    twin = HERE / "err" / path.relative_to(HERE / "ok")
    result = compiled(path)
    assert result.ok, render(result.diagnostics, result.source, "concise")
    assert not set(findings(result)) & set(findings(compiled(twin)))


def test_every_broken_spec_has_its_near_miss():
    assert {name_of(path).removeprefix("err/") for path in BROKEN} == {
        name_of(path).removeprefix("ok/") for path in NEAR_MISSES
    }
