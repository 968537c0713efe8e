"""`engine: auto`: the questions, the policies, and who is passed over."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from support import specs

from llmdeploy.catalog.course_table import claims
from llmdeploy.catalog.framework import questions
from llmdeploy.diagnostics.pages import page
from llmdeploy.plan.model import Service
from llmdeploy.registry import ENGINES

NEEDS = ["throughput", "shared_prefixes", "structured_output", "huggingface"]
SUBSETS = [subset for size in range(5) for subset in combinations(NEEDS, size)]
# The course's page: the first question that is answered with yes decides.
COURSE = {"throughput": "vllm", "shared_prefixes": "sglang", "structured_output": "tgi", "huggingface": "tgi"}
MAINTAINED = {**COURSE, "structured_output": "vllm", "huggingface": "vllm"}
H100 = {"type": "h100-sxm-80gb", "count": 8}


def service(gpu: dict[str, Any] = H100, policy: str = "maintained", **model: Any) -> Service:
    data = {
        "version": 1,
        "name": "proj",
        "gpus": {"gpu": gpu},
        "models": {"chat": {"source": "Qwen/Qwen3-8B", "engine": "auto", **model}},
        "routes": [{"path": "/chat", "model": "chat"}],
    }
    result = specs.compiled(data, ("docker",), emit=False, policy=policy)
    assert result.plan and result.ok, result.diagnostics
    return result.plan.service("chat")


def passed_over(service: Service) -> list[str]:
    return [
        why.setting.removeprefix("engine ")
        for why in service.why
        if why.setting.startswith("engine ") and why.value == "passed over"
    ]


@pytest.mark.parametrize("needs", SUBSETS, ids="+".join)
@pytest.mark.parametrize(("policy", "leaves"), [("course", COURSE), ("maintained", MAINTAINED)])
def test_the_first_need_in_the_order_of_the_questions_decides(needs, policy, leaves):
    expected = leaves[needs[0]] if needs else "vllm"
    # In whatever order they are written.
    assert service(policy=policy, needs=list(reversed(needs))).engine == expected


def test_every_need_has_its_question_and_the_course_s_answer_comes_first():
    *asked, otherwise = questions()
    assert [question.need for question in asked] == NEEDS
    assert {question.need: question.engines[0] for question in asked} == COURSE
    assert (otherwise.need, otherwise.engines[0]) == (None, "vllm")


def test_every_leaf_has_an_engine_that_is_maintained():
    for question in questions():
        assert "maintained" in {ENGINES[name].card().status for name in question.engines}, question


def test_every_engine_of_a_leaf_can_do_what_the_question_asks_for():
    """By the table that `llmdeploy engines` shows, in the release that would be taken."""
    asked = {question.capability: question.engines for question in questions() if question.capability}
    assert asked
    for capability, engines in asked.items():
        for name in engines:
            cells = [cell for cell in ENGINES[name].capabilities() if cell.name == capability]
            (now,) = (cell for cell in cells if cell.holds_for(ENGINES[name].versions[0]))
            assert now.has, (capability, name)


def test_the_course_s_answers_are_the_engines_of_its_row_best_for():
    best = {claim.engine for claim in claims() if claim.capability == "best for"}
    assert {question.engines[0] for question in questions()} == best


@pytest.mark.parametrize(("policy", "engine"), [("course", "tgi"), ("maintained", "vllm")])
def test_the_way_is_told_question_by_question(policy, engine):
    way = [
        (why.setting, why.value)
        for why in service(policy=policy, needs=["huggingface", "structured_output"]).why
        if why.setting.startswith(("needs", "engine"))
    ]
    passed = [("engine tgi", "passed over")] if policy == "maintained" else []
    assert way[:-1] == [
        ("needs throughput", "no"),
        ("needs shared_prefixes", "no"),
        ("needs structured_output", "yes"),
        *passed,
        ("engine", engine),
    ]


def test_without_needs_every_question_is_answered_with_no():
    asked = [(why.setting, why.value) for why in service().why if why.setting.startswith("needs")]
    assert asked == [(f"needs {need}", "no") for need in NEEDS]


def test_the_page_of_no_engine_tells_the_framework():
    table = [
        [cell.strip(" `") for cell in line.split("|")[1:-1]]
        for line in page("LD324").splitlines()
        if line.startswith("|") and "?" in line
    ]
    assert table == [
        [question.asks, question.need or "", question.engines[0], ", ".join(question.engines)]
        for question in questions()
    ]


def test_what_the_page_shows_of_a_plan_is_what_plan_says():
    told = [f"{why.setting} = {why.value}: {why.because}" for why in service(needs=["structured_output"]).why]
    (shown,) = (block for block in page("LD324").split("```") if "needs throughput" in block)
    for line in shown.strip().splitlines()[1:]:
        assert any(each.startswith(line.removesuffix(" …")) for each in told), line


def test_an_archived_engine_is_passed_over_and_that_is_said():
    chosen = service(needs=["structured_output"])
    assert passed_over(chosen) == ["tgi"]
    (reason,) = (why.because for why in chosen.why if why.setting == "engine tgi")
    assert "archived on 2026-03-21" in reason


@pytest.mark.parametrize(
    ("gpu", "model", "engine", "passed"),
    [
        ({"type": "t4", "count": 2}, {"needs": ["shared_prefixes"], "gpus": 2}, "vllm", ["sglang"]),
        (H100, {"tools": {"parser": "interns1"}}, "sglang", ["vllm"]),
        (H100, {"needs": ["shared_prefixes"], "reasoning": {"parser": "granite"}}, "vllm", ["sglang"]),
        (H100, {"speculative": {"method": "eagle", "tokens": 2, "model": "org/eagle"}}, "vllm", []),
        (H100, {"structured_output": False}, "sglang", ["vllm"]),
        (
            H100,
            {"needs": ["shared_prefixes"], "structured_output": {"backend": "lm-format-enforcer"}},
            "vllm",
            ["sglang"],
        ),
        ({"type": "cpu", "memory": "32GiB"}, {"context": 4096}, "vllm", []),
        ({"type": "mi300x", "count": 1}, {"needs": ["shared_prefixes"]}, "sglang", []),
    ],
)
def test_an_engine_that_cannot_do_it_is_passed_over(gpu, model, engine, passed):
    chosen = service(gpu, **model)
    assert (chosen.engine, passed_over(chosen)) == (engine, passed)


def test_the_course_is_taken_at_its_word():
    """TGI cannot do without a GPU's bfloat16 kernels on a T4, and gets the model all the same."""
    data = specs.merge(
        specs.spec("vllm-0.33.0"),
        {
            "gpus": {"pool": {"type": "t4", "count": 1}},
            "models": {"chat": {"engine": "auto", "needs": ["huggingface"]}},
        },
    )
    result = specs.compiled(data, ("docker",), emit=False, policy="course")
    assert {"LD505", "LD335"} <= {found.code for found in result.diagnostics}


def test_what_no_engine_could_mend_is_reported_as_it_is():
    """Three GPUs divide no model of 32 heads: that is not a matter of the engine."""
    data = specs.merge(specs.spec("vllm-0.33.0", "four"), {"models": {"chat": {"engine": "auto", "gpus": 3}}})
    assert [found.code for found in specs.compiled(data, ("docker",), emit=False).diagnostics] == ["LD302"]


def test_the_same_file_gives_the_same_choice():
    first, again = (service(needs=["structured_output"]) for _ in range(2))
    assert first == again
