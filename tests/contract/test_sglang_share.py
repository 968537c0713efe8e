"""SGLang's own share of a card, as its own code computes it, and as the ledger takes it where llm.yaml leaves it open."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.tiny import SGLANG
from support.tools import ROOT, engine_python

from llmdeploy.catalog import configs
from llmdeploy.engines.sglang.memory import memory
from llmdeploy.memory import Card, Model, Question, Split

pytestmark = pytest.mark.xdist_group("sglang-0.5.23")

JUDGE = ROOT / "llmdeploy/runtime/oracle/inside"
DENSE, LATENT = "Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-V2-Lite-Chat"
BLIND, SEEING = "google/gemma-3-12b-it", "Qwen/Qwen3-VL-8B-Instruct"
KINDS = {
    BLIND: ("gemma3", "gemma3_text", "siglip_vision_model"),
    SEEING: ("qwen3_vl", "qwen3_vl_text", "qwen3_vl"),
}
#: Model, compute capability, GiB of the card, SGLang's settings, and the same as a question.
CASES: list[tuple[str, tuple[int, int], float, dict[str, Any], dict[str, Any]]] = [
    (DENSE, (7, 5), 15.0, {}, {}),
    (DENSE, (8, 9), 22.03, {}, {}),
    (DENSE, (8, 9), 44.4, {"tp_size": 4}, {"split": Split(4)}),
    (DENSE, (9, 0), 79.18, {}, {}),
    (DENSE, (9, 0), 79.18, {"pp_size": 2}, {"split": Split(1, 2)}),
    (DENSE, (9, 0), 79.18, {"chunked_prefill_size": 2048}, {"batch_tokens": 2048}),
    (DENSE, (9, 0), 79.18, {"disable_cuda_graph": True}, {"eager": True}),
    (DENSE, (9, 0), 139.8, {"max_running_requests": 16}, {"concurrency": 16}),
    (DENSE, (10, 0), 178.0, {}, {}),
    (LATENT, (8, 9), 44.4, {}, {}),
    (LATENT, (9, 0), 79.18, {}, {}),
    (BLIND, (8, 9), 44.4, {}, {}),
    (SEEING, (8, 9), 44.4, {}, {}),
    (SEEING, (9, 0), 79.18, {}, {}),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[list[float]]:
    """What SGLang says of every case, in one process: it takes half a minute to load."""
    asked = []
    for name, capability, gib, settings, _ in CASES:
        folder: Path = tmp_path_factory.getbasetemp() / name.rpartition("/")[2]
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(whole(name)))
        asked.append(
            {"model": str(folder), "capability": capability, "memory_gib": gib, "settings": settings}
        )
    program = [engine_python(SGLANG), ROOT / "tests/support/inside_sglang.py", JUDGE]
    done = subprocess.run(
        program, input=json.dumps(asked), capture_output=True, text=True, timeout=300, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == len(CASES), done.stderr[-2000:]
    return [json.loads(line) for line in lines]


def whole(name: str) -> dict[str, Any]:
    """The config.json of a model, as far as the catalog has it, with what SGLang cannot do without."""
    row = configs.config(name)
    assert row is not None
    if "vision_config" not in row.config:
        return {"model_type": "deepseek_v2", **row.config} if name == LATENT else dict(row.config)
    text = {key: value for key, value in row.config.items() if key not in ("vision_config", "architectures")}
    kind, of_text, of_tower = KINDS[name]
    return {
        "architectures": row.config["architectures"],
        "model_type": kind,
        "text_config": {**text, "model_type": of_text},
        "vision_config": {**row.config["vision_config"], "model_type": of_tower},
    }


@pytest.mark.parametrize("index", range(len(CASES)))
def test_the_ledger_takes_the_share_that_sglang_computes(told: list[list[float]], index: int) -> None:
    name, (major, minor), gib, _, more = CASES[index]
    card = Card("nvidia", gib, capability=f"{major}.{minor}")
    ledger = memory(Question("sglang", "0.5.23", Model(name, "", whole(name)), card, context=2048, **more))
    assert [ledger.fraction, ledger.batch_tokens] == pytest.approx(told[index], abs=0.0005)
