"""What each engine is told, word for word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.settings import API_KEY, ENGINES, HERE, HUB_TOKEN, RICH, settings
from support.tools import tool

from llmdeploy.engines.sglang import KEY_FILE, WITH_KEY
from llmdeploy.plan.model import MountKind, User

MODEL = "meta-llama/Llama-3.3-70B-Instruct"


def lower(engine, values=None, **changes):
    return ENGINES[engine].lower(settings(engine, values, **changes))


def codes(lowered):
    return sorted(found.code for found in lowered.diagnostics)


def test_vllm():
    lowered = lower("vllm", RICH, api_key=API_KEY, token=HUB_TOKEN, ready_timeout_s=1205)
    assert codes(lowered) == ["LD307"]  # structured_output is asked for by each request
    assert lowered.launch.image == "vllm/vllm-openai:v0.33.0"
    assert lowered.launch.entrypoint == ("vllm", "serve")
    assert " ".join(lowered.launch.args) == (
        f"{MODEL} --host 0.0.0.0 --port 8000 --shutdown-timeout 120 --served-model-name chat llama"
        f" --revision {RICH['revision']} --tensor-parallel-size 4 --pipeline-parallel-size 2"
        " --data-parallel-size 2 --enable-expert-parallel --dtype bfloat16 --quantization fp8"
        " --max-model-len 4096 --max-num-seqs 8 --max-num-batched-tokens 8192 --gpu-memory-utilization 0.9"
        " --kv-cache-dtype fp8 --no-enable-prefix-caching --trust-remote-code"
        " --chat-template /templates/chat.jinja --runner pooling --enable-auto-tool-choice"
        ' --tool-call-parser hermes --reasoning-parser qwen3 --limit-mm-per-prompt {"image":2}'
        " --enable-lora --lora-modules sql=/adapters/sql --max-lora-rank 16"
        ' --speculative-config {"method":"ngram","num_speculative_tokens":4}'
    )
    assert lowered.launch.env == {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_ENGINE_READY_TIMEOUT_S": "1205",
        "HOME": "/home/vllm",
        "USER": "vllm",
        "HF_HOME": "/models",
        "HF_MODULES_CACHE": "/home/vllm/.cache/huggingface/modules",
    }
    assert lowered.launch.secret_env == {"VLLM_API_KEY": API_KEY}
    assert lowered.probes.startup.failures == 121
    assert lowered.user == User(2000, 0)


def test_vllm_on_a_cpu_is_given_bytes():
    lowered = lower("vllm", {"kv_bytes": 1 << 30, "memory_fraction": 0.5}, vendor="cpu")
    assert lowered.diagnostics == ()
    assert lowered.launch.image == "vllm/vllm-openai-cpu:v0.33.0-x86_64"
    assert lowered.launch.args[-2:] == ("--kv-cache-memory-bytes", "1073741824")
    assert [why.value for why in lowered.why] == ["1073741824"]


def test_sglang():
    # Where layers are spread over stages it drafts no n-grams.
    values = {name: value for name, value in RICH.items() if name != "speculative"}
    lowered = lower("sglang", values, api_key=API_KEY)
    assert codes(lowered) == ["LD507", "LD508", "LD509"]
    assert lowered.launch.image == "lmsysorg/sglang:v0.5.23"
    assert lowered.launch.entrypoint == ("python3", "-c", WITH_KEY, KEY_FILE, "sglang", "serve")
    assert " ".join(lowered.launch.args) == (
        f"--model-path {MODEL} --host 0.0.0.0 --port 30000 --enable-metrics --served-model-name chat"
        f" --revision {RICH['revision']} --tensor-parallel-size 4 --pipeline-parallel-size 2"
        " --data-parallel-size 2 --expert-parallel-size 4 --dtype bfloat16 --quantization fp8"
        " --context-length 4096 --max-running-requests 8 --chunked-prefill-size 8192"
        " --kv-cache-dtype fp8_e4m3 --disable-radix-cache --grammar-backend none --trust-remote-code"
        " --chat-template /templates/chat.jinja --is-embedding --tool-call-parser hermes"
        ' --reasoning-parser qwen3 --limit-mm-data-per-request {"image":2}'
        " --enable-lora --lora-paths sql=/adapters/sql --max-lora-rank 16"
        " --config /tmp/llmdeploy-engine.yaml"
    )
    assert lowered.launch.secret_env == {"LLMDEPLOY_API_KEY": API_KEY}
    assert (lowered.probes.readiness.path, lowered.probes.liveness.path) == ("/ready", "/health")
    assert lowered.user is None


@pytest.mark.parametrize(
    ("engine", "backend", "words"),
    [
        ("vllm", "guidance", ["--structured-outputs-config.backend", "guidance"]),
        ("vllm", "xgrammar", ["--structured-outputs-config.backend", "xgrammar"]),
        ("sglang", "guidance", ["--grammar-backend", "llguidance"]),
        ("sglang", "outlines", ["--grammar-backend", "outlines"]),
        ("tgi", "outlines", []),
    ],
)
def test_a_backend_of_grammars_goes_by_the_engines_own_word(engine, backend, words):
    lowered, plain = lower(engine, {"grammar_backend": backend}), lower(engine)
    assert list(lowered.launch.args) == [*plain.launch.args, *words]
    assert (lowered.launch.env, lowered.diagnostics) == (plain.launch.env, plain.diagnostics)


def test_sglang_without_a_key_is_started_directly():
    launch = lower("sglang").launch
    assert launch.entrypoint == ("sglang", "serve")
    assert "--config" not in launch.args


def test_sglang_finds_its_key_in_a_file_of_its_own(tmp_path):
    """The wrapper writes it, forgets the variable and becomes the engine."""
    file = tmp_path / Path(KEY_FILE).name
    show = "import os, sys; print(sys.argv[1:], 'LLMDEPLOY_API_KEY' in os.environ)"
    command = [sys.executable, "-c", WITH_KEY, file, sys.executable, "-c", show, "--config", "x"]
    key = 'a "quoted": key'
    env = {**os.environ, "LLMDEPLOY_API_KEY": key}
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert run.stdout == "['--config', 'x'] False\n"
    assert json.loads(file.read_text()) == {"api-key": key}
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("engine", "arch", "image"),
    [
        ("vllm", "gfx942", "vllm/vllm-openai-rocm:v0.33.0"),
        ("sglang", "gfx942", "lmsysorg/sglang:v0.5.23-rocm720-mi30x"),
        ("sglang", "gfx950", "lmsysorg/sglang:v0.5.23-rocm720-mi35x"),
        ("tgi", "gfx942", "ghcr.io/huggingface/text-generation-inference:3.3.7-rocm"),
    ],
)
def test_images_for_amd(engine, arch, image):
    assert lower(engine, vendor="amd", arch=arch).launch.image == image


@pytest.mark.parametrize(("engine", "arch"), [("sglang", "gfx90a"), ("openllm", "gfx942")])
def test_accelerator_without_an_image(engine, arch):
    assert "LD308" in codes(lower(engine, vendor="amd", arch=arch))


def test_tgi():
    values = {name: value for name, value in RICH.items() if name not in ("dtype", "chat_template")}
    # `resolve` says where a parser stands.
    origins = {name: (*HERE, name) for name in values} | {"tools": (*HERE, "tools", "parser")}
    lowered = lower("tgi", {**values, "pipeline": 1, "data": 1}, api_key=API_KEY, origins=origins)
    lacking = ["expert", "embed", "multimodal", "reasoning"]
    assert codes(lowered) == ["LD307"] * len(lacking) + ["LD505", "LD507", "LD509", "LD525"]
    assert {found.path[-1] for found in lowered.diagnostics if found.code == "LD307"} == set(lacking)
    assert lowered.launch.argv == ("/tgi-entrypoint.sh",)
    assert lowered.launch.env == {
        "MODEL_ID": MODEL,
        "PORT": "8080",
        "HOSTNAME": "0.0.0.0",
        "NUM_SHARD": "4",
        "USAGE_STATS": "off",
        "GRACEFUL_TERMINATION_TIMEOUT": "120",
        "HF_HUB_OFFLINE": "1",
        "TRITON_CACHE_DIR": "/root/.cache/triton",
        "HF_HOME": "/models",
        "HUGGINGFACE_HUB_CACHE": "/models/hub",
        "REVISION": RICH["revision"],
        "QUANTIZE": "fp8",
        "MAX_TOTAL_TOKENS": "4096",
        "MAX_INPUT_TOKENS": "4095",
        "MAX_CONCURRENT_REQUESTS": "8",
        "MAX_BATCH_PREFILL_TOKENS": "8192",
        "CUDA_MEMORY_FRACTION": "0.9",
        "KV_CACHE_DTYPE": "fp8_e4m3fn",
        "PREFIX_CACHING": "0",
        "DISABLE_GRAMMAR_SUPPORT": "true",
        "TRUST_REMOTE_CODE": "true",
        "HF_MODULES_CACHE": "/root/.cache/huggingface/modules",
        "SPECULATE": "4",
        "LORA_ADAPTERS": "sql=/adapters/sql",
    }
    assert lowered.launch.secret_env == {"API_KEY": API_KEY}


def test_tgi_always_says_how_many_shards():
    assert lower("tgi", gpu_count=2).launch.env["NUM_SHARD"] == "2"


def test_tgi_on_amd_reads_a_prompt_in_one_step():
    assert lower("tgi", {"context": 9000}, vendor="amd").launch.env["MAX_BATCH_PREFILL_TOKENS"] == "8999"
    short = {"context": 9000, "batch_tokens": 4096}
    assert "LD309" in codes(lower("tgi", short, vendor="amd"))
    assert "LD309" not in codes(lower("tgi", short))


def test_openllm():
    lowered = lower("openllm", {"context": 8192}, gpu_count=4)
    assert codes(lowered) == ["LD505"]
    assert lowered.launch.argv == (
        *("bentoml", "serve", "/bento", "--host", "0.0.0.0", "--port", "3000"),
        *("--arg", "tensor_parallel_size=4", "--arg", "max_model_len=8192"),
    )
    assert lowered.launch.env["HF_TOKEN"] == ""
    assert lowered.build is not None
    (dockerfile,) = lowered.build.files
    assert dockerfile.name == "Dockerfile"
    assert 'revision="6f6073b423013f6a7d4d9f39144961bfbfbc386b"' in dockerfile.text
    assert "TOKEN" not in dockerfile.text
    assert lowered.download is not None
    assert lowered.download.command[-1] == "6f6073b423013f6a7d4d9f39144961bfbfbc386b"


@pytest.mark.needs("hadolint")
def test_openllm_dockerfile_is_judged(tmp_path):
    build = lower("openllm").build
    assert build is not None
    (tmp_path / "Dockerfile").write_text(build.files[0].text)
    run = subprocess.run([tool("hadolint"), tmp_path / "Dockerfile"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_openllm_image_is_named_after_what_is_in_it():
    first, again = lower("openllm"), lower("openllm", {"context": 8192})
    other = lower("openllm", {"revision": "main"})
    assert first.launch.image == again.launch.image != other.launch.image
    assert first.launch.image.startswith("llmdeploy/llama3.3-70b-instruct-c968:")


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"api_key": API_KEY}, "LD307", ("gateway", "auth")),
        ({"values": {"concurrency": 8}}, "LD307", (*HERE, "concurrency")),
        ({"engine_args": {"nope": 1}}, "LD316", (*HERE, "engine_args", "nope")),
        ({"engine_args": {"task": "a,b"}}, "LD313", (*HERE, "engine_args", "task")),
        ({"env": {"VLLM_USE_V1": "0"}}, "LD306", (*HERE, "env", "VLLM_USE_V1")),
        ({"values": {"revision": 'x" && rm'}}, "LD309", (*HERE, "revision")),
        ({"openllm_tag": "jamba1.5:mini"}, "LD315", (*HERE, "source")),
    ],
)
def test_openllm_says_what_a_bento_cannot(changes, code, path):
    found = lower("openllm", **changes).diagnostics
    assert (code, path) in [(f.code, f.path) for f in found]


@pytest.mark.parametrize(
    ("engine", "changes"),
    [
        ("vllm", {"source": "openllm", "openllm_tag": "llama3.3:70b"}),
        ("openllm", {"source": "hub", "openllm_tag": None}),
    ],
)
def test_source_of_another_kind(engine, changes):
    found = [f for f in lower(engine, **changes).diagnostics if f.code == "LD315"]
    assert [f.path for f in found] == [(*HERE, "source")]


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_weights_are_fetched_beforehand_and_alone_with_the_token(engine):
    lowered = lower(engine, {"revision": "abc"}, token=HUB_TOKEN)
    assert lowered.download is not None
    assert lowered.download.token == HUB_TOKEN
    assert lowered.download.command[-2:] == ("--revision", "abc")
    assert HUB_TOKEN not in lowered.launch.secret_env.values()
    assert lowered.launch.env["HF_HUB_OFFLINE"] == "1"
    (weights,) = [mount for mount in lowered.mounts if mount.kind is MountKind.WEIGHTS]
    assert weights.read_only


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_local_model_needs_no_hub(engine):
    lowered = lower(engine, source="path", model="/model")
    assert lowered.download is None
    assert [mount.kind for mount in lowered.mounts] == [MountKind.CACHE]
    assert "HF_HOME" not in lowered.launch.env


@pytest.mark.parametrize(
    ("image", "moves"),
    [
        ("vllm/vllm-openai", True),
        ("vllm/vllm-openai:latest", True),
        ("vllm/vllm-openai:nightly-x86", True),
        ("registry:5000/vllm", True),
        ("registry:5000/vllm:main", True),
        ("vllm/vllm-openai:v0.33.0", False),
        ("vllm/vllm-openai:latest@sha256:" + "0" * 64, False),
    ],
)
def test_image_that_moves(image, moves):
    lowered = lower("vllm", image=image)
    assert lowered.launch.image == image
    assert [f.path for f in lowered.diagnostics if f.code == "LD504"] == ([(*HERE, "image")] if moves else [])
