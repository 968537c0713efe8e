"""What is emitted, from llm.yaml on, is accepted by the engines: every example, every setting, every two settings.

The engines parse the command line and build their configuration, for models of which there is only a
config.json. TGI cannot be asked, so its variables are held against its launcher's own list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import samples, specs
from support.oracle import Oracle
from support.samples import Sample
from support.settings import ENGINES

from llmdeploy.catalog.flags import flag_table
from llmdeploy.engines.table import Table
from llmdeploy.plan.model import Service
from llmdeploy.runtime.oracle.judge import after_serve

#: An engine of specs.ENGINES, and who judges it.
JUDGES = [
    pytest.param(engine, name, marks=pytest.mark.xdist_group(name))
    for engine, name in (
        ("vllm-0.32.0", "vllm-0.32"),
        ("vllm-0.33.0", "vllm-0.33"),
        ("sglang", "sglang-0.5.23"),
    )
]

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


@pytest.mark.parametrize(("engine", "name"), JUDGES)
def test_what_examples_and_features_compile_to(oracle, engine, name, tmp_path):
    complaints = {}
    found = services(engine)
    here = {"02-hybrid-chat", "08-complete-chat"} if engine == "sglang" else {"08-complete-batch"}
    assert {"rich", "fp8", "data", "chat-template", "api-key"} | here <= found.keys()
    for case, service in found.items():
        # On a CPU only the command line is judged: the configuration is one for GPUs.
        config = CONFIG if service.gpus.vendor == "nvidia" else None
        machine = {"gpus": max(service.gpus.count, 1), "memory_gib": 80, "capability": [9, 0]}
        argv = with_key_file(after_serve(service.launch.argv), tmp_path)
        complaints[case] = oracle(name).complaint(argv, config, folder=tmp_path, **machine)
    assert {case: said for case, said in complaints.items() if said} == {}


@pytest.mark.parametrize(("engine", "name"), JUDGES)
def test_every_setting_in_every_value(oracle, engine, name, tmp_path):
    asked, complaints = refused(oracle(name), engine, samples.alone(*table_of(engine)), tmp_path)
    table, version = table_of(engine)
    assert {name for name, row in table.settings.items() if row.in_version(version)} == asked
    assert complaints == {}


@pytest.mark.parametrize(("engine", "name"), JUDGES)
def test_every_two_settings_together(oracle, engine, name, tmp_path):
    arrays = samples.together(*table_of(engine), lambda sample: samples.compiled(engine, sample).ok)
    asked, complaints = refused(oracle(name), engine, arrays, tmp_path)
    assert len(asked) > 15
    assert complaints == {}


def refused(
    judge: Oracle, engine: str, given: Iterable[Sample], folder: Path
) -> tuple[set[str], dict[str, str]]:
    """Put what compiles to the engine; say which settings that were, and what it refuses."""
    asked: set[str] = set()
    complaints = {}
    for sample in given:
        result = samples.compiled(engine, sample)
        if not result.ok or result.plan is None:
            continue
        asked.update(sample.settings)
        service = result.plan.service("chat")
        said = judge.complaint(
            after_serve(service.launch.argv),
            samples.CHECKPOINTS[sample.checkpoint] if sample.described else None,
            folder=folder,
            gpus=max(service.gpus.count, 1),
            capability=samples.CAPABILITIES.get(sample.pool, (9, 0)),
            memory_gib=service.gpus.memory_gib or 80,
        )
        if said:
            complaints[sample.name] = said
    return asked, complaints


def with_key_file(argv: Sequence[str], folder: Path) -> list[str]:
    """Let SGLang read its key from a file that is here."""
    words = list(argv)
    if "--config" in words:
        secret = folder / "secret.yaml"
        secret.write_text("api-key: abc\n")
        words[words.index("--config") + 1] = str(secret)
    return words


def table_of(engine: str) -> tuple[Table, str]:
    named = specs.ENGINES[engine]
    table = ENGINES[named["engine"]].table
    return table, named.get("engine_version", table.versions[0])


@pytest.mark.parametrize("engine", ENGINES)
def test_every_setting_has_a_sample(engine):
    """Else the matrix would be blind to it: write one in tests/support/samples.py."""
    assert set(ENGINES[engine].table.settings) <= set(samples.SAMPLES)


@pytest.mark.parametrize("engine", ["vllm-0.33.0", "vllm-0.32.0", "sglang"])
def test_every_flag_of_the_matrix_is_in_the_catalog(engine):
    """Said without the engine: of every release that the table has."""
    table, version = table_of(engine)
    flags = flag_table(table.name)
    assert flags is not None
    unknown = set()
    for sample in samples.alone(table, version):
        result = samples.compiled(engine, sample)
        if result.ok and result.plan:
            words = result.plan.service("chat").launch.args
            spelled = {flag_of(word.partition("=")[0]) for word in words if word.startswith("--")}
            unknown |= {flag for flag in spelled if flags.find(flag, version) is None}
    assert unknown == set()


def flag_of(word: str) -> str:
    """Return the flag whose field a dotted word names: `--structured-outputs-config.backend` is a part of its JSON."""
    return word.partition(".")[0]


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_every_flag_of_a_table_is_in_the_catalog_of_every_release_of_the_table(engine):
    table, flags = ENGINES[engine].table, flag_table(engine)
    assert flags is not None
    for version in ENGINES[engine].releases():
        rows = [row for row in table.settings.values() if row.in_version(version)]
        spelled = {flag_of(flag) for row in rows for flag in (row.flag, *row.together) if flag}
        spelled |= {word for word in table.args if word.startswith("--")}
        assert {flag for flag in spelled if flags.find(flag, version) is None} == set(), version


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_what_is_refused_for_being_the_compilers_is_a_flag_of_some_release(engine):
    """A misspelt row would refuse nothing."""
    table, flags = ENGINES[engine].table, flag_table(engine)
    assert flags is not None
    known = {
        text for version in flags.versions for flag in flags.at(version).values() for text in flag.spellings
    }
    assert set(map(flag_of, table.owned_flags)) <= known


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
