"""Broken files end in diagnostics: at the right place, in good time, and never in a traceback."""

from __future__ import annotations

import time
from pathlib import Path as File

import pytest
from fuzz.mutants import Mutant, free, invalid

from llmdeploy.compiler import Result, compile
from llmdeploy.diagnostics import Severity
from llmdeploy.diagnostics.redact import looks_like_credential
from llmdeploy.diagnostics.render import render

EXAMPLES = sorted((File(__file__).parents[2] / "examples").glob("*/llm.yaml"))
TEXTS = [path.read_text(encoding="utf-8") for path in EXAMPLES]
INVALID = 300
FREE = 3_000
CHUNKS = 20
SLOW_S = 2.0


def _judge(text: str) -> Result:
    result = compile(text)
    for format in ("full", "json"):
        render(result.diagnostics, result.source, format)
    return result


def _explains(result: Result, mutant: Mutant) -> bool:
    errors = [d.path for d in result.diagnostics if d.severity is Severity.ERROR]
    return mutant.path in errors or mutant.path[:-1] in errors


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_an_invalid_mutant_has_an_error_where_it_was_broken(chunk: int) -> None:
    text = TEXTS[chunk % len(TEXTS)]
    for mutant in invalid(text, seed=chunk, count=INVALID // CHUNKS):
        result = _judge(mutant.text)
        said = render(result.diagnostics, result.source)
        assert _explains(result, mutant), f"{mutant.what} at {mutant.path}:\n{said}\n{mutant.text}"
        assert not result.artifacts


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_free_mutant_ends_in_diagnostics_or_artifacts(chunk: int) -> None:
    text = TEXTS[chunk % len(TEXTS)]
    for mutant in free(text, seed=chunk, count=FREE // CHUNKS):
        start = time.monotonic()
        result = _judge(mutant)
        assert result.artifacts or result.diagnostics
        assert time.monotonic() - start < SLOW_S, mutant
        assert not looks_like_credential(render(result.diagnostics, result.source))


def test_mutants_are_the_same_for_the_same_seed() -> None:
    assert list(free(TEXTS[0], 7, 20)) == list(free(TEXTS[0], 7, 20))
    assert list(invalid(TEXTS[0], 7, 20)) == list(invalid(TEXTS[0], 7, 20))
