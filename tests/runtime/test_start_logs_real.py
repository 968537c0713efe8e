"""Real engines on the CPU print what the tables say, and what llmdeploy starts is what it finds in their log."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import tiny

from llmdeploy import compile
from llmdeploy.calibration.mismatch import mismatches
from llmdeploy.facts.gather import gather
from llmdeploy.plan.model import Service
from llmdeploy.runtime.smoke.boot import Place, booted
from llmdeploy.startlog import Boot, read

pytestmark = pytest.mark.boots


@pytest.mark.xdist_group("vllm-serving")
def test_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with started(tmp_path, monkeypatch, tiny.ENGINE, tiny.spec()) as (service, boot):
        assert boot.engine == "vllm"
        assert boot.version == "0.32.0"
        assert boot.ready and boot.failure is None
        assert mismatches(service, None, boot, unknown) == []
        assert boot.settings["max_model_len"] == "256"
        argv = service.launch.argv
        pool = int(argv[argv.index("--kv-cache-memory-bytes") + 1]) / 2**30
        assert least(boot, "kv") == pytest.approx(pool, abs=0.01)
        tokens, at_once = least(boot, "kv_tokens"), least(boot, "concurrency")
        assert tokens == pytest.approx(at_once * 256)
        assert boot.largest("init_s") is not None


@pytest.mark.xdist_group("sglang-serving")
def test_sglang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with started(tmp_path, monkeypatch, tiny.SGLANG, tiny.sglang()) as (service, boot):
        assert boot.engine == "sglang"
        assert boot.ready and boot.failure is None
        assert mismatches(service, None, boot, unknown) == []
        assert boot.settings["context_length"] == "256"
        assert least(boot, "kv_tokens") == 2048
        assert boot.measures.keys() >= {"weights", "free", "kv", "load_s", "init_s"}
        assert boot.date is not None


def least(boot: Boot, term: str) -> float:
    return min(boot.measures[term].values())


def unknown(setting: str) -> None:
    """Tell that it is not known what an engine takes by itself: all that a log leaves out is then taken for the plan's."""


@contextmanager
def started(
    folder: Path, monkeypatch: pytest.MonkeyPatch, engine: str, spec: dict[str, Any]
) -> Iterator[tuple[Service, Boot]]:
    """Boot the tiny model with its program's output in a file, and read that."""
    tiny.make_model(folder / "model")
    programs, log = folder / "bin", folder / "start.log"
    programs.mkdir()
    name = engine.partition("-")[0]
    real = shlex.quote(str(tiny.engine_bin(engine) / name))
    (programs / name).write_text(f'#!/bin/sh\nexec {real} "$@" >{shlex.quote(str(log))} 2>&1\n')
    (programs / name).chmod(0o755)
    monkeypatch.setenv(tiny.KEY_ENV, tiny.KEY)
    result = compile(
        yaml.safe_dump(spec), ["docker"], lambda parsed: gather(parsed, folder, folder / "out"), emit=False
    )
    assert result.plan and result.ok, result.diagnostics
    with booted(result.plan, Place(folder, {"": programs}, ready_s=600), print):
        pass
    with log.open("rb") as file:
        found = read(file)
    ((boot,),) = found.boots.values()
    yield result.plan.services[0], boot
