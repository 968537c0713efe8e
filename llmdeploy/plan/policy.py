"""The decision framework behind `engine: auto`: which questions are asked, and where each answer leads."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from msgspec import Struct

from llmdeploy.plan.model import Why

Policy = Literal["maintained", "course"]
"""`course` takes the leaf of the course's page as it is drawn. `maintained` takes the first engine of that leaf that
is kept and capable of all that the model asks for."""


class Question(Struct, frozen=True):
    """One fork: where `need` is among a model's needs, `engines` are the candidates, the course's own first."""

    need: str
    text: str
    engines: tuple[str, ...]
    because: str


# The course's page asks these in this order. Behind its own answer stand those that do the same today
# (`llmdeploy engines`), in the order in which they are tried.
QUESTIONS = (
    Question(
        "throughput",
        "is throughput what counts?",
        ("vllm", "sglang"),
        "continuous batching at high load is what vLLM was made for",
    ),
    Question(
        "shared_prefixes",
        "do requests repeat a prefix?",
        ("sglang", "vllm"),
        "RadixAttention shares prefixes between requests by itself; vLLM caches them, too",
    ),
    Question(
        "structured_output",
        "must answers keep to JSON or a grammar?",
        ("tgi", "vllm", "sglang"),
        "TGI had grammars first; since then vLLM and SGLang have more of them",
    ),
    Question(
        "huggingface",
        "is it for the Hugging Face ecosystem?",
        ("tgi", "vllm", "sglang"),
        "TGI is Hugging Face's own server; its README names vLLM and SGLang as successors",
    ),
)
OTHERWISE = ("vllm", "sglang")


class Leaf(Struct, frozen=True):
    """Where the questions lead, and what was answered on the way there."""

    engines: tuple[str, ...]
    answers: str
    because: str


class Choice(Struct, frozen=True):
    """The engine that was taken for a model; None where none will do. `passed` has (engine, why it was not taken)."""

    engine: str | None
    leaf: Leaf
    policy: Policy
    passed: tuple[tuple[str, str], ...] = ()

    def why(self) -> list[Why]:
        """Return the path that was taken, and the engines that it passed over."""
        taken = f"{self.leaf.answers}: {self.leaf.because} (policy `{self.policy}`)"
        return [
            Why("engine", self.engine or "none", taken),
            *(Why(f"engine {name}", "passed over", reason) for name, reason in self.passed),
        ]


def leaf(needs: Collection[str]) -> Leaf:
    """Ask the questions in their order until one is answered with yes."""
    answers: list[str] = []
    for question in QUESTIONS:
        if question.need in needs:
            return Leaf(question.engines, " ".join([*answers, f"{question.text} yes"]), question.because)
        answers.append(f"{question.text} no;")
    return Leaf(OTHERWISE, " ".join(answers).rstrip(";"), "nothing speaks for another one")
