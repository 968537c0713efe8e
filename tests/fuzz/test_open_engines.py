"""Every spec that the suite has, right or broken, with its engines left open: an engine or a finding, and no crash."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from support import specs

from llmdeploy.catalog.framework import questions
from llmdeploy.compiler import compile
from llmdeploy.facts.gather import gather
from llmdeploy.registry import ENGINES
from llmdeploy.source import read

ROOT = Path(__file__).parents[2]
FOLDERS = ("tests/diagnostics/err", "tests/diagnostics/ok", "examples")
SPECS = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.yaml"))
#: What is one engine's, and so stands in the way of any choice.
WORDS = ("engine_version", "image", "engine_args")


def opened(data: Any, need: str | None) -> Any:
    """The file with every engine left open; None for what is no llm.yaml by far."""
    models = data.get("models") if isinstance(data, dict) else None
    if not isinstance(models, dict) or not all(isinstance(model, dict) for model in models.values()):
        return None
    data = copy.deepcopy(data)
    for name, model in data["models"].items():
        kept = {key: value for key, value in model.items() if key not in (*WORDS, "needs")}
        data["models"][name] = {**kept, "engine": "auto", **({"needs": [need]} if need else {})}
    return data


@pytest.mark.parametrize("policy", ["course", "maintained"])
@pytest.mark.parametrize("question", questions(), ids=lambda question: str(question.need))
def test_each_model_gets_an_engine_of_the_leaf_or_the_file_a_finding(question, policy):
    tried = 0
    for spec in SPECS:
        data = opened(read(spec.read_bytes().decode("utf-8-sig", "replace"))[0].data, question.need)
        if data is None:
            continue
        result = compile(
            specs.yaml_of(data),
            None,
            lambda parsed, home=spec.parent: gather(parsed, home, home / "out"),
            emit=False,
            policy=policy,
        )
        tried += 1
        assert result.plan or not result.ok, spec
        for service in result.plan.services if result.plan else ():
            assert service.engine in question.engines, spec
            if policy == "course":
                assert service.engine == question.engines[0], spec
            else:
                assert ENGINES[service.engine].card().status == "maintained", spec
    assert tried > 300
