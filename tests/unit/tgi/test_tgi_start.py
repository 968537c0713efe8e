"""The stand-in for TGI takes the arguments that TGI 3.3.7 takes, and refuses what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import specs, tgi
from support.settings import settings
from support.tgi import launcher
from support.tgi.clap import Refused, parse
from support.tgi.flags import DATA, FLAGS
from support.tgi.log import Log
from support.tgi.running import Running, ended, environment, started
from support.upstream import free_port

from llmdeploy.engines.tgi import ENGINE
from llmdeploy.runtime.http import Answer
from llmdeploy.runtime.smoke.local import Site, command


def test_every_flag_of_the_data_is_known() -> None:
    assert {flag.variable for flag in FLAGS.values() if flag.variable} == DATA["variables"].keys()


VALUES = {
    "bool": "true",
    "String": "text",
    "f32": "0.5",
    "usize": "3",
    "u64": "3",
    "u32": "3",
    "u16": "3",
    "Quantization": "bitsandbytes-nf4",
    "Dtype": "bfloat16",
    "KVCacheDtype": "fp8_e5m2",
    "RopeScaling": "linear",
    "UsageStatsLevel": "no-stack",
}


@pytest.mark.parametrize("name", [name for name in FLAGS if name != "env"])
def test_a_variable_and_its_flag_say_the_same(name: str) -> None:
    flag, text = FLAGS[name], VALUES[FLAGS[name].kind]
    argv = [flag.long] if flag.switch else [flag.long, text]
    assert flag.variable
    assert getattr(parse(argv, {}), name) == getattr(parse([], {flag.variable: text}), name)


def test_a_flag_wins_over_its_variable_which_is_then_not_read() -> None:
    assert parse(["--port=80"], {"PORT": "tcp://10.0.0.1:80"}).port == 80


def test_without_a_model_it_is_bloom() -> None:
    assert parse([], {}).model_id == "bigscience/bloom-560m"


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"PORT": "tcp://10.0.0.1:80"}, "'tcp://10.0.0.1:80' for '--port <PORT>': invalid digit found"),
        ({"PROMETHEUS_PORT": "tcp://10.0.0.1:9"}, "'--prometheus-port <PROMETHEUS_PORT>': invalid digit"),
        ({"PORT": "70000"}, "70000 is not in 0..=65535"),
        ({"MAX_TOTAL_TOKENS": "4k"}, "'--max-total-tokens <MAX_TOTAL_TOKENS>': invalid digit found"),
        ({"MAX_TOTAL_TOKENS": "-1"}, "invalid digit found in string"),
        ({"NUM_SHARD": ""}, "cannot parse integer from empty string"),
        ({"CUDA_MEMORY_FRACTION": "90%"}, "invalid float literal"),
        ({"CUDA_GRAPHS": "1,2,x"}, "invalid value 'x' for '--cuda-graphs <CUDA_GRAPHS>'"),
        (
            {"TRUST_REMOTE_CODE": "1"},
            "invalid value '1' for '--trust-remote-code'\n  [possible values: true, false]",
        ),
        ({"DISABLE_GRAMMAR_SUPPORT": "True"}, "tip: a similar value exists: 'true'"),
        ({"SHARDED": "yes"}, "'--sharded <SHARDED>'"),
        ({"QUANTIZE": "int4"}, "invalid value 'int4' for '--quantize <QUANTIZE>'\n  [possible values: awq, "),
        ({"DTYPE": "float32"}, "[possible values: bfloat16, float16]"),
        ({"KV_CACHE_DTYPE": "fp8"}, "[possible values: fp8_e4m3fn, fp8_e5m2]"),
        ({"USAGE_STATS": "0"}, "[possible values: no-stack, off, on]"),
        (
            {"ROPE_SCALING": ""},
            "a value is required for '--rope-scaling <ROPE_SCALING>' but none was supplied",
        ),
    ],
)
def test_a_value_of_another_type_is_refused(env: dict[str, str], message: str) -> None:
    with pytest.raises(Refused) as refused:
        parse([], env)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--max-model-len", "8"], "unexpected argument '--max-model-len' found"),
        (["--max-total-token", "8"], "tip: a similar argument exists: '--max-total-tokens'"),
        (["some/model"], "unexpected argument 'some/model' found"),
        (["--port"], "a value is required for '--port <PORT>' but none was supplied"),
        (["--port", "1", "-p", "2"], "the argument '--port <PORT>' cannot be used multiple times"),
        (["--ngrok=true"], "unexpected value 'true' for '--ngrok' found; no more were expected"),
    ],
)
def test_a_command_line_that_is_not_understood_is_refused(argv: list[str], message: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(argv, {})
    assert message in str(refused.value)


def test_what_clap_refuses_ends_with_2_and_its_words(model: Path) -> None:
    done = ended(model, PORT="tcp://10.0.0.1:80")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: invalid value 'tcp://10.0.0.1:80' for '--port <PORT>': ")
    assert done.stderr.endswith("\n\nFor more information, try '--help'.\n")


# What is checked before it serves


def checked(model: Path, **more: str) -> Any:
    env = environment(model, **more)
    return launcher.check(parse([], env), env, Log({"LOG_LEVEL": "off"}, as_json=False))


LENGTHS = {"MAX_INPUT_TOKENS": "100", "MAX_TOTAL_TOKENS": "200", "MAX_BATCH_PREFILL_TOKENS": "50"}
INVALID = {
    "input is total": {"MAX_INPUT_TOKENS": "10", "MAX_TOTAL_TOKENS": "10"},
    "two names": {"MAX_INPUT_TOKENS": "10", "MAX_INPUT_LENGTH": "10"},
    "no workers": {"VALIDATION_WORKERS": "0"},
    "batch below total": {"MAX_TOTAL_TOKENS": "200", "MAX_BATCH_TOTAL_TOKENS": "100"},
    "no shard": {"NUM_SHARD": "0"},
    "sharded in one": {"SHARDED": "true", "NUM_SHARD": "1"},
    "sharded exl2": {"NUM_SHARD": "2", "QUANTIZE": "exl2"},
    "ngrok without token": {"NGROK": "true"},
}
FAILED = {
    "sharded on one device": ({"SHARDED": "true", "CUDA_VISIBLE_DEVICES": "0"}, "NotEnoughCUDADevices"),
    "more shards than devices": ({"NUM_SHARD": "2", "CUDA_VISIBLE_DEVICES": "0"}, "ShardCannotStart"),
    "dtype and quantize": ({"DTYPE": "float16", "QUANTIZE": "awq"}, "ShardCannotStart"),
    "unknown attention": ({"ATTENTION": "flash"}, "ShardCannotStart"),
    "prefixes without flash": ({"ATTENTION": "paged", "PREFIX_CACHING": "1"}, "ShardCannotStart"),
    "prompt in one step": ({**LENGTHS, "PREFILL_CHUNKING": "0"}, "WebserverFailed"),
    "prompt in one step, paged": ({**LENGTHS, "ATTENTION": "paged"}, "WebserverFailed"),
    "prompt in one step, speculating": ({**LENGTHS, "SPECULATE": "2"}, "WebserverFailed"),
    "no batch": ({"MAX_BATCH_SIZE": "0"}, "WebserverFailed"),
    "input beyond what the model has": ({"MAX_INPUT_TOKENS": "5000"}, "WebserverFailed"),
    "a model that is not cached": ({"MODEL_ID": "org/model", "HF_HOME": "/nowhere"}, "DownloadError"),
    "a directory that is not there": ({"MODEL_ID": "/no/such/place"}, "DownloadError"),
}


@pytest.mark.parametrize("env", INVALID.values(), ids=INVALID)
def test_arguments_that_contradict_each_other_are_refused(model: Path, env: dict[str, str]) -> None:
    with pytest.raises(launcher.Failed, match="ArgumentValidation"):
        checked(model, **env)


@pytest.mark.parametrize(("env", "error"), FAILED.values(), ids=FAILED)
def test_what_only_a_later_part_of_tgi_refuses(model: Path, env: dict[str, str], error: str) -> None:
    with pytest.raises(launcher.Failed, match=error):
        checked(model, **env)


@pytest.mark.parametrize(
    "env",
    [
        pytest.param(LENGTHS, id="prefill is chunked"),
        pytest.param({"DTYPE": "float16", "QUANTIZE": "bitsandbytes-nf4"}, id="bitsandbytes takes a dtype"),
        pytest.param({"SHARDED": "false"}, id="not sharded"),
        pytest.param({"NUM_SHARD": "2", "CUDA_VISIBLE_DEVICES": "0,1"}, id="a device for each shard"),
        pytest.param({"PREFIX_CACHING": "0"}, id="no prefixes"),
        pytest.param({"SOMETHING_ELSE": "x"}, id="a variable of somebody else"),
    ],
)
def test_what_tgi_takes_is_taken(model: Path, env: dict[str, str]) -> None:
    assert checked(model, **env)


def test_sharded_without_any_device_is_a_panic(model: Path) -> None:
    assert ended(model, SHARDED="true").returncode == 101


def test_a_dtype_for_a_quantized_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = tgi.model(tmp_path / "awq")
    (folder / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "awq"}}))
    with pytest.raises(launcher.Failed, match="ShardCannotStart"):
        checked(folder, DTYPE="float16")


def test_a_directory_needs_its_config(tmp_path: Path) -> None:
    with pytest.raises(launcher.Failed, match="ShardCannotStart"):
        checked(tmp_path)


def test_a_model_in_the_hub_cache_is_found(tmp_path: Path) -> None:
    repository = tmp_path / "hub/models--org--model"
    tgi.model(repository / "snapshots/abc")
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("abc")
    for cache in ({"HF_HOME": str(tmp_path)}, {"HUGGINGFACE_HUB_CACHE": str(tmp_path / "hub")}):
        assert checked(tmp_path, MODEL_ID="org/model", **cache).chat_template
    with pytest.raises(launcher.Failed, match="DownloadError"):
        checked(tmp_path, MODEL_ID="org/model", REVISION="other", HF_HOME=str(tmp_path))


def test_the_port_for_prometheus_must_be_free_though_nobody_listens(model: Path, running: Running) -> None:
    with pytest.raises(launcher.Failed, match="WebserverFailed"):
        checked(model, PROMETHEUS_PORT=str(running.port))


def test_it_ends_with_1_and_its_reason(model: Path) -> None:
    done = ended(model, MAX_INPUT_TOKENS="10", MAX_TOTAL_TOKENS="10")
    text = "`max_input_tokens`(10) must be < `max_total_tokens`(10)"
    assert (done.returncode, done.stderr) == (1, f'Error: ArgumentValidation("{text}")\n')


def test_the_reason_of_the_python_side_is_in_the_log_and_not_at_its_end(model: Path) -> None:
    done = ended(model, MODEL_ID="org/model", HF_HOME="/nowhere")
    assert "EntryNotFoundError: No .bin weights found for model org/model and revision None." in done.stdout
    assert (done.returncode, done.stderr) == (1, "Error: DownloadError\n")


# What llmdeploy compiles for it


def compiled(folder: Path, **more: Any) -> dict[str, str]:
    """The environment of TGI on a CPU, as a process, from an llm.yaml beside a directory `model`."""
    tgi.model(folder / "model")
    chat = {"source": "./model", "engine": "tgi", "context": 512, "concurrency": 4, **more}
    data = specs.merge(specs.spec("tgi", "cpu"), {"models": {"chat": chat}})
    result = specs.compiled(data, emit=False)
    assert result.plan, result.diagnostics
    made = command(result.plan.service("chat"), 0, free_port(), Site(folder, folder, {}))
    assert made.argv == ("text-generation-launcher",)
    return {**made.env, "HOSTNAME": "127.0.0.1"}


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dtype": {"dtype": "bfloat16"},
    "awq": {"quantization": "awq"},
    "no grammar": {"structured_output": False},
    "no prefixes": {"prefix_caching": False},
    "step": {"batch_tokens": 256},
    "code": {"trust_remote_code": True},
}


@pytest.mark.parametrize("more", SETTINGS.values(), ids=SETTINGS)
def test_what_llmdeploy_compiles_is_accepted(tmp_path: Path, more: dict[str, Any]) -> None:
    router = checked(tmp_path / "model", **compiled(tmp_path, **more))
    assert (router.max_input_tokens, router.max_total_tokens) == (511, 512)


def test_what_llmdeploy_compiles_for_a_gpu_is_accepted(model: Path) -> None:
    values = {"tensor": 2, "context": 4096, "concurrency": 8, "memory_fraction": 0.9, "kv_dtype": "fp8"}
    env = ENGINE.lower(settings("tgi", values)).launch.env
    assert checked(model, **{**env, "MODEL_ID": str(model)}).max_total_tokens == 4096


def test_what_llmdeploy_compiles_serves(tmp_path: Path) -> None:
    with started(tmp_path, **compiled(tmp_path)) as it:
        assert it.client().get("/health") == Answer(200, b"")
