"""Ledgers of the real equation, corrected by what a start was measured to take; and the file that keeps it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support import specs

from llmdeploy import compile
from llmdeploy.catalog import configs, gpu
from llmdeploy.engines.base import calibration_of
from llmdeploy.facts import calibration
from llmdeploy.facts.gather import CALIBRATION, gather
from llmdeploy.memory.corrections import Correction, corrected, fitting
from llmdeploy.memory.model import Card, Ledger, Model, Question, Split, Verdict
from llmdeploy.registry import ENGINES

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def question(model: str = LLAMA, **changes: Any) -> Question:
    stated, card = configs.config(model), gpu("h100-sxm-80gb")
    assert stated and card and card.memory_gib
    asked = Question(
        **{
            "engine": "vllm",
            "version": "0.33.0",
            "model": Model(model, stated.source, stated.config),
            "card": Card(card.vendor, card.memory_gib, card.id, card.name, card.capability),
            "split": Split(tensor=2),
            "context": 8192,
            **changes,
        }
    )
    return replace(asked, calibration=calibration_of(ENGINES[asked.engine], asked.version))


def ledger(asked: Question) -> Ledger:
    return ENGINES[asked.engine].memory(asked)


def correction(**changes: Any) -> Correction:
    values = {
        "engine": "vllm",
        "release": "0.33",
        "gpu": "h100-sxm-80gb",
        "tensor": 2,
        "model": LLAMA,
        "date": "2026-11-30",
        "log": "0123456789ab",
    }
    return Correction(**{**values, **changes})


@pytest.mark.parametrize("version", ["0.19.0", "0.33.0"])
@pytest.mark.parametrize("pipeline", [1, 2])
def test_the_sum_of_every_rank_stays_what_the_engine_takes(version, pipeline):
    """Of a release before 0.21, the graphs come on top."""
    asked = question(version=version, split=Split(tensor=2, pipeline=pipeline))
    found = correction(
        release=asked.calibration.release(version),
        weights=1.05,
        activation=0.3,
        nontorch=-0.2,
        cuda_graphs=0.4,
    )
    after = corrected(ledger(asked), asked, [found])
    for rank in after.ranks:
        graphs = rank.cuda_graphs_gib if version == "0.33.0" else 0.0
        taken = rank.weights_gib + rank.activation_gib + rank.nontorch_gib + graphs + rank.kv_gib
        assert taken == pytest.approx(after.usable_gib)


def test_sglang_takes_its_share_of_what_is_free():
    """Activations and graphs live in the rest, so that they change nothing of the pool."""
    asked = question(engine="sglang", version="0.5.23")
    before = ledger(asked)
    found = correction(engine="sglang", release="0.5.23", weights=1.1, nontorch=0.5, cuda_graphs=3.0)
    after = corrected(before, asked, [found])
    assert after.usable_gib is not None and after.fraction is not None
    for rank in after.ranks:
        # To the digits of the share.
        assert rank.kv_gib == pytest.approx(after.usable_gib * after.fraction - rank.weights_gib, abs=0.05)
    assert after.ranks[0].cuda_graphs_gib == pytest.approx(before.ranks[0].cuda_graphs_gib + 3.0)


def test_each_line_still_adds_up_to_its_term():
    asked = question()
    after = corrected(ledger(asked), asked, [correction(weights=0.98, activation=0.3, cuda_graphs=-0.1)])
    for rank in after.ranks:
        for term in ("weights", "activation", "nontorch", "cuda_graphs", "kv"):
            lines = sum(line.gib for line in rank.lines if line.term == term)
            assert lines == pytest.approx(getattr(rank, f"{term}_gib")), term


@pytest.mark.parametrize("model", [LLAMA, "google/gemma-3-27b-it", "Qwen/Qwen3-Next-80B-A3B-Instruct"])
def test_tokens_are_those_of_the_equation_for_that_pool_to_a_block(model):
    asked = question(model, split=Split(tensor=4))
    before = ledger(asked)
    after = corrected(before, asked, [correction(model=model, tensor=4, nontorch=1.5)])
    exact = ledger(replace(asked, kv_bytes=int(min(rank.kv_gib for rank in after.ranks) * 2**30)))
    assert before.kv_tokens and after.kv_tokens and exact.kv_tokens
    assert after.kv_tokens < before.kv_tokens
    assert after.kv_tokens == pytest.approx(exact.kv_tokens, rel=0.002)
    assert after.requests_at_context == pytest.approx(exact.requests_at_context, rel=0.002)


def test_the_margin_moves_with_the_pool_and_the_verdict_with_the_margin():
    asked = question(split=Split(tensor=1), fraction=0.3)
    before = ledger(asked)
    assert before.verdict is Verdict.FITS and before.margin_gib is not None
    for wanted, verdict in ((0.6, Verdict.TIGHT), (-0.1, Verdict.NO)):
        shift = before.margin_gib - wanted
        after = corrected(before, asked, [correction(tensor=1, nontorch=shift)])
        assert after.margin_gib == pytest.approx(wanted)
        assert after.verdict is verdict


def test_the_plan_is_told_what_was_used():
    asked = question()
    before = ledger(asked)
    *others, note = corrected(before, asked, [correction(weights=1.05, activation=0.3)]).notes
    assert tuple(others) == before.notes
    assert note == (
        "calibrated from a start on 2026-11-30 (vllm 0.33, h100-sxm-80gb): weights × 1.050, activation +0.30 GiB"
    )


@pytest.mark.parametrize(
    "other",
    [{"release": "0.32"}, {"gpu": "h200-sxm-141gb"}, {"engine": "sglang"}, {"tensor": 1}, {"pipeline": 2}],
    ids=lambda each: next(iter(each)),
)
def test_a_start_on_something_else_corrects_nothing(other):
    asked = question()
    before = ledger(asked)
    assert corrected(before, asked, [correction(activation=1.0, **other)]) is before


def test_of_another_model_only_what_is_the_gpus_own_counts():
    """Its layers and its vocabulary are others; what CUDA and NCCL take is not."""
    asked = question()
    before = ledger(asked)
    every = {"weights": 1.5, "activation": 0.5, "cuda_graphs": 0.25, "nontorch": 0.125}
    after = corrected(before, asked, [correction(model="other/model", **every)])
    for term in ("weights_gib", "activation_gib", "cuda_graphs_gib"):
        assert getattr(after.ranks[0], term) == getattr(before.ranks[0], term)
    assert after.ranks[0].nontorch_gib == pytest.approx(before.ranks[0].nontorch_gib + 0.125)
    assert after.notes[-1].endswith("h100-sxm-80gb with other/model): nontorch +0.12 GiB")


def test_a_start_of_another_model_without_it_corrects_nothing():
    asked = question()
    before = ledger(asked)
    assert corrected(before, asked, [correction(model="other/model", weights=1.5, activation=0.5)]) is before


def test_its_own_start_comes_before_a_newer_one_of_another_model():
    own, other = correction(date="2026-01-01"), correction(model="other/model", nontorch=0.1)
    assert fitting(question(), [other, own]) == own
    third = correction(model="third/model", date="2025-01-01", nontorch=0.1)
    assert fitting(question(), [other, third]) == other


def test_what_is_not_known_stays_so():
    asked = question()
    unknown = Ledger(Verdict.UNKNOWN, reason="config: no")
    assert corrected(unknown, asked, [correction(activation=1.0)]) is unknown


def test_a_pinned_pool_stays_as_it_is():
    asked = question(kv_bytes=8 << 30)
    before = ledger(asked)
    after = corrected(before, asked, [correction(activation=1.0)])
    assert after.kv_tokens == before.kv_tokens
    assert after.ranks[0].activation_gib == pytest.approx(before.ranks[0].activation_gib + 1)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.floats(0.5, 2))
def test_no_term_becomes_negative(shifts, factor):
    asked = question()
    activation, nontorch, graphs = shifts
    found = correction(weights=factor, activation=activation, nontorch=nontorch, cuda_graphs=graphs)
    after = corrected(ledger(asked), asked, [found])
    for rank in after.ranks:
        assert min(rank.weights_gib, rank.activation_gib, rank.nontorch_gib, rank.cuda_graphs_gib) >= 0
    assert after.kv_tokens is not None and after.kv_tokens >= 0
    assert after.margin_gib is not None and math.isfinite(after.margin_gib)


# The file


def test_a_file_reads_as_it_was_written():
    found = (correction(weights=1.05, activation=-0.1), correction(tensor=1, cuda_graphs=0.0))
    read, fault = calibration.parse(calibration.text(found), "x.yaml")
    assert fault is None
    assert sorted(read, key=lambda each: each.key) == sorted(found, key=lambda each: each.key)


def test_the_order_of_starts_does_not_change_the_file():
    one, two = correction(tensor=1), correction(tensor=2)
    assert calibration.text((one, two)) == calibration.text((two, one))


GOOD = calibration.text([correction(activation=0.5)])


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("version: 1", "version: 2", 3, "`version`: invalid enum value 2"),
        ("version: 1\n", "", 1, "object missing required field `version`"),
        (
            "activation: 0.5",
            "activation: much",
            12,
            "`corrections[0].activation`: expected a number, got text",
        ),
        (
            "activation: 0.5",
            "activation: .inf",
            12,
            "`corrections[0].activation`: expected a number, got text",
        ),
        (
            "activation: 0.5",
            "activation: 1e9",
            12,
            "`corrections[0].activation`: expected a number <= 1000.0",
        ),
        (
            "activation: 0.5",
            "activations: 0.5",
            5,
            "`corrections[0]`: object contains unknown field `activations`",
        ),
        ('release: "0.33"', "release: 0.33", 6, "`corrections[0].release`: expected text, got a number"),
        ("tensor: 2", "tensor: 0", 8, "`corrections[0].tensor`: expected a whole number >= 1"),
        ("tensor: 2", "tensor: {", 10, "the file is not YAML"),
        ("tensor: 2", "tensor: 2\n  tensor: 2", 9, "`tensor` is given twice"),
    ],
)
def test_a_file_that_was_mangled_is_refused_with_the_line(before, after, line, said):
    assert before in GOOD
    found, fault = calibration.parse(GOOD.replace(before, after), "x.yaml")
    assert found == ()
    assert fault is not None
    assert said in fault.message
    assert fault.line == line


@pytest.mark.parametrize(
    "content", [b"version: 1\ncorrections: [\xff]\n", None], ids=["not UTF-8", "a directory"]
)
def test_one_that_cannot_be_read_is_a_finding_and_not_the_end(content, tmp_path):
    place = tmp_path / CALIBRATION
    place.mkdir() if content is None else place.write_bytes(content)
    spec = (specs.EXAMPLES / "01-one-model/llm.yaml").read_text(encoding="utf-8")
    result = compile(spec, facts=lambda parsed: gather(parsed, tmp_path, tmp_path / "out"), emit=False)
    (found,) = (each for each in result.diagnostics if each.code == "LD531")
    assert found.message.startswith(f"`{CALIBRATION}`, line 1: it cannot be read")
    assert result.plan is not None


@given(st.text(max_size=60) | st.builds(lambda cut: GOOD[:cut], st.integers(0, len(GOOD))))
def test_any_file_is_read_or_refused(text):
    found, fault = calibration.parse(text, "x.yaml")
    assert fault is None or found == ()
