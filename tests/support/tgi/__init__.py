"""A stand-in for Text Generation Inference 3.3.7, where the real one cannot run: it needs Rust and CUDA.

What it is: a contract. `text-generation-launcher` takes and refuses the environment and the arguments that TGI
takes and refuses, ends with TGI's status and words, and then serves TGI's HTTP: the same paths behind the same
key, the same bodies refused with the same status, streams with the same shape. A deployment that works with it
asks for nothing that TGI would not understand.

What it is not: a model, or a measure. Nothing is loaded, no device is looked at, memory is always enough, answers
are made up (prose, or the least that keeps to a grammar). A token is a word or a sign, and there is no BOS. The
chat template is asked for and not run, no tool is ever called (501), no adapter loaded, no image read. A schema
that the stand-in cannot satisfy is refused (422, `error_type: stand_in`) though TGI may take it. Only requests are
counted in /metrics. There is no /docs.

The facts are read from the repository of huggingface/text-generation-inference at tag v3.3.7 (dfb3fbe):
launcher/src/main.rs for arguments and their checks, server/text_generation_server/{cli,utils/hub,utils/dist,
models/globals}.py for what the Python side refuses, backends/v3/src/main.rs for lengths, router/src/{server,lib,
validation,chat,sagemaker,vertex,infer/mod}.rs for HTTP; clap 4.5.32, axum 0.7.9, metrics-exporter-prometheus 0.15.3
and outlines-core ba10c61 for what those leave to them. Names, types and enums of flags: tests/data/tgi-3.3.7.json.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

_TESTS = Path(__file__).parents[2]
_CONFIG = {"model_type": "llama", "head_dim": 64, "max_position_embeddings": 2048}


def program(folder: Path) -> Path:
    """Write an executable `text-generation-launcher` into a folder, for PATH or `--engine-bin tgi=FOLDER`."""
    made = folder / "text-generation-launcher"
    path = f"PYTHONPATH={shlex.quote(str(_TESTS))}"
    made.write_text(f'#!/bin/sh\n{path} exec {shlex.quote(sys.executable)} -P -m support.tgi "$@"\n')
    made.chmod(0o755)
    return made


def model(folder: Path) -> Path:
    """Make the folder what the stand-in needs of a model: config.json, and a chat template where TGI looks."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(_CONFIG))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    return folder
