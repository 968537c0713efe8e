"""What `make gpu` does on a GPU runs on the CPU as well: models of few layers, booted beside the ledger by the same script."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import tiny
from support.tools import engine_python

GPU = Path(__file__).parents[2] / "scripts" / "gpu"

pytestmark = pytest.mark.boots


@pytest.mark.xdist_group("vllm-serving")
def test_what_fits_comes_up_with_the_tokens_of_the_ledger_and_what_does_not_is_refused(
    tmp_path: Path,
) -> None:
    engine = engine_python(tiny.ENGINE).parent
    argv: tuple[Any, ...] = (
        *(sys.executable, GPU, "--engine-bin", engine, "--version", "0.32.0", "--gpu", "cpu"),
        *("--out", tmp_path / "out", "--work", tmp_path / "work"),
        *("boots", "--configurations", GPU / "rehearsal.yaml", "--limit", "200"),
    )
    subprocess.run(argv, check=True, timeout=900, stdout=subprocess.DEVNULL)
    lines = (tmp_path / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    fits, refused = (json.loads(line) for line in lines)
    assert fits["ledger"]["verdict"] == "FITS" and fits["point"]["fit"] is True
    assert fits["point"]["kv_tokens"] == fits["ledger"]["kv_tokens"]
    assert fits["chat"].startswith("200, ")
    assert refused["ledger"]["verdict"] == "NO" and refused["point"]["fit"] is False
    assert "KV cache" in refused["point"]["failure"] and refused["ended"] != 0
