"""What is emitted, from llm.yaml on, is accepted by the engines: every example, and the matrix of features.

vLLM also builds its whole configuration, for a model of which there is only a config.json. TGI cannot be
asked, so its variables are held against its launcher's own list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import specs

from llmdeploy.plan.model import Service

# Divides over 2 and 4 GPUs and over two stages, and is long enough for every example.
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 1024,
    "intermediate_size": 2048,
    "num_hidden_layers": 4,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "vocab_size": 512,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}
RICH = {
    "models": {
        "chat": {
            "gpus": 4,
            "parallel": {"tensor": 2, "pipeline": 2},
            "revision": "a09a35458c702b33eeacc393d103063234e8bc28",
            "dtype": "bfloat16",
            "concurrency": 64,
            "batch_tokens": 8192,
            "memory_fraction": 0.9,
            "prefix_caching": False,
            "served_names": ["one", "two"],
            "trust_remote_code": True,
        }
    }
}
MORE: dict[str, Any] = {
    "rich": RICH,
    "fp8": {"models": {"chat": {"quantization": "fp8", "kv_cache": {"dtype": "fp8"}}}},
    "data": {"models": {"chat": {"gpus": 4, "parallel": {"data": 2}}}},
}
TGI = json.loads((Path(__file__).parents[1] / "data/tgi-3.3.7.json").read_text())
# Read by libraries in the image, and not by TGI.
LIBRARIES = {"TRITON_CACHE_DIR", "PYTORCH_TUNABLEOP_ENABLED"}


def cases(engine: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Specs with a model on this engine (a key of specs.ENGINES)."""
    for accelerator in specs.ACCELERATORS:
        yield accelerator, specs.spec(engine, accelerator)
    for feature in specs.FEATURES:
        yield feature, specs.spec(engine, "four", feature)
    for name, more in MORE.items():
        yield name, specs.merge(specs.spec(engine), more)


def services(engine: str) -> dict[str, Service]:
    """Every service on this engine that llm.yaml leads to; what the engine lacks is another test's."""
    named = specs.ENGINES[engine]
    found = {}
    for name, data in cases(engine):
        result = specs.compiled(data, emit=False)
        if result.ok and result.plan:
            found[name] = result.plan.service("chat")
    for example in specs.examples():
        data = specs.data_of(example)
        for model in data["models"].values():
            if model.get("engine", "vllm") == named["engine"] == "vllm":
                model["engine_version"] = named.get("engine_version", "0.33.0")
        result = specs.compile_example(example, data)
        assert result.plan, result.diagnostics
        mine = [each for each in result.plan.services if each.engine == named["engine"]]
        found |= {f"{example}-{each.name}": each for each in mine}
    return found


def after_serve(service: Service) -> list[str]:
    argv = list(service.launch.argv)
    return argv[argv.index("serve") + 1 :]


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        pytest.param("vllm-0.32.0", "vllm-0.32", marks=pytest.mark.xdist_group("vllm-0.32")),
        pytest.param("vllm-0.33.0", "vllm-0.33", marks=pytest.mark.xdist_group("vllm-0.33")),
    ],
)
def test_vllm(oracle, engine, name, tmp_path):
    complaints = {}
    found = services(engine)
    assert {"rich", "fp8", "data", "chat-template", "08-complete-batch"} <= found.keys()
    for case, service in found.items():
        # On a CPU only the command line is judged: the configuration is one for GPUs.
        config = CONFIG if service.gpus.count else None
        machine = {"gpus": max(service.gpus.count, 1), "memory_gib": 80, "capability": [9, 0]}
        complaints[case] = oracle(name).complaint(after_serve(service), config, folder=tmp_path, **machine)
    assert {case: said for case, said in complaints.items() if said} == {}


@pytest.mark.xdist_group("sglang-0.5.23")
def test_sglang(oracle, tmp_path):
    secret = tmp_path / "secret.yaml"
    secret.write_text("api-key: abc\n")
    complaints = {}
    found = services("sglang")
    assert {"api-key", "chat-template", "02-hybrid-chat", "08-complete-chat"} <= found.keys()
    for case, service in found.items():
        argv = after_serve(service)
        if "--config" in argv:
            argv[argv.index("--config") + 1] = str(secret)
        complaints[case] = oracle("sglang-0.5.23").complaint(argv)
    assert {case: said for case, said in complaints.items() if said} == {}


def test_tgi():
    found = services("tgi")
    assert {"four", "fp8", "02-hybrid-structured"} <= found.keys()
    for case, service in found.items():
        assert service.launch.args == (), case
        variables = {**service.launch.env, **dict.fromkeys(service.launch.secret_env, "key")}
        for name, value in variables.items():
            known = name in TGI["variables"] or name in TGI["other_variables"] or name in LIBRARIES
            assert known, f"{case}: TGI reads no {name}"
            assert is_a(TGI["variables"].get(name, "String"), value), f"{case}: {name}={value}"


def is_a(kind: str, value: str) -> bool:
    """Whether clap takes `value` for the Rust type `kind`."""
    kind = kind.removeprefix("Option<").removesuffix(">")
    if kind in TGI["enums"]:
        return value in TGI["enums"][kind]
    match kind:
        case "usize" | "u64" | "u32" | "u16":
            bits = 64 if kind == "usize" else int(kind[1:])
            return value.isascii() and value.isdecimal() and int(value) < 1 << bits
        case "f32":
            return value.replace(".", "", 1).isdecimal()
        case "bool":
            return value in ("true", "false")
    return kind in ("String", "Vec<String>")
