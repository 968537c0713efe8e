"""The stand-in for TGI takes what TGI 3.3.7 takes, and refuses what it refuses."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate
from support import specs, tgi
from support.settings import settings
from support.tgi import launcher, regex
from support.tgi.clap import Refused, parse
from support.tgi.flags import DATA, FLAGS
from support.tgi.grammar import Bad, document
from support.tgi.log import Log
from support.tgi.running import Running, ended, environment, started
from support.tgi.server import OPEN_GET, OPEN_POST, PROTECTED
from support.upstream import free_port

from llmdeploy.engines.tgi import ENGINE
from llmdeploy.runtime.http import Answer, Client, Unreachable
from llmdeploy.runtime.smoke.checks import SCHEMA
from llmdeploy.runtime.smoke.local import Site, command

KEY = "not-a-real-key"
HELLO = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
PROMPT = "Describe a small plant."
JSON = {"type": "json", "value": SCHEMA}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tgi.model(tmp_path_factory.mktemp("tgi") / "model")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    lengths = {"MAX_INPUT_TOKENS": "50", "MAX_TOTAL_TOKENS": "250", "PAYLOAD_LIMIT": "5000"}
    with started(tmp_path_factory.mktemp("open"), **lengths) as it:
        yield it


@pytest.fixture(scope="module")
def client(running: Running) -> Client:
    return running.client()


def failed(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json() or {}).get("error", "")


# Arguments


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


# HTTP


def test_it_is_ready_at_three_addresses_with_nothing_to_say(client: Client, running: Running) -> None:
    for address in ("/", "/health", "/ping"):
        assert client.get(address) == Answer(200, b"")
    assert running.raw("HEAD", "/health").status == 200


def test_info_has_lengths_and_the_number_that_the_tag_was_built_with(client: Client) -> None:
    info = client.get("/info").json()
    assert (info["max_input_tokens"], info["max_total_tokens"]) == (50, 250)
    assert (info["router"], info["version"]) == ("text-generation-router", "3.3.6-dev0")
    assert client.get("/v1/models").json()["data"][0]["id"] == info["model_id"]


def test_metrics_show_what_was_counted(tmp_path: Path) -> None:
    with started(tmp_path) as it:
        assert it.client().get("/metrics") == Answer(200, b"")
        it.client().post("/generate", {"inputs": PROMPT, "parameters": {"max_new_tokens": 1}})
        metrics = it.client().get("/metrics").body.decode()
    assert "tgi_request_count 1\n" in metrics
    assert "tgi_queue_size 0\n" in metrics


def test_only_generation_is_behind_the_key(tmp_path: Path) -> None:
    with started(tmp_path, API_KEY=KEY) as it:
        stranger = it.client()
        assert {path for path in PROTECTED if stranger.post(path, {}) == Answer(401, b"")} == PROTECTED.keys()
        assert {stranger.get(path).status for path in OPEN_GET} == {200}
        assert {stranger.post(path, HELLO).status for path in OPEN_POST} == {200}
        assert it.client(KEY.upper()).post("/v1/chat/completions", HELLO).status == 200
        assert it.client("another").post("/v1/chat/completions", HELLO).status == 401
        # A trait of TGI, and the reason of a warning.
        assert f'"{KEY}"' in it.log.read_text()


def test_what_is_no_endpoint_is_not_found(client: Client) -> None:
    assert client.get("/v1/embeddings") == Answer(404, b"")
    assert client.get("/generate") == Answer(405, b"")
    assert client.post("/health", {}) == Answer(405, b"")


def test_the_compatible_endpoint_answers_with_a_list_that_begins_with_the_prompt(client: Client) -> None:
    """As it does for a directory and offline, unless it is asked not to."""
    body = {"inputs": PROMPT, "parameters": {"max_new_tokens": 3}}
    (found,) = client.post("/", body).json()
    assert found == {"generated_text": f"{PROMPT} the leaf of"}
    body["parameters"] = {"max_new_tokens": 3, "return_full_text": False}
    assert client.post("/", body).json() == [{"generated_text": " the leaf of"}]


def test_what_inference_client_sends_is_answered(client: Client) -> None:
    """huggingface_hub posts to the address itself; what it sends is from design notes."""
    grammar = {"inputs": PROMPT, "parameters": {"grammar": JSON, "max_new_tokens": 64}}
    text = client.post("/", {**grammar, "stream": False}).json()[0]["generated_text"]
    validate(json.loads(text.removeprefix(PROMPT)), SCHEMA)
    chat = {**HELLO, "model": "dummy", "stream": False}
    assert client.post("/v1/chat/completions", chat).json()["model"] == "dummy"


def test_the_native_endpoint_answers_with_an_object(client: Client) -> None:
    body: dict[str, Any] = {"inputs": PROMPT, "parameters": {"max_new_tokens": 2}}
    assert client.post("/generate", body).json() == {"generated_text": " the leaf"}
    body["parameters"]["details"] = True
    details = client.post("/generate", body).json()["details"]
    assert (details["finish_reason"], details["generated_tokens"]) == ("length", 2)
    assert [token["text"] for token in details["tokens"]] == [" the", " leaf"]


def test_the_native_stream_ends_with_the_whole_text(client: Client) -> None:
    body = {"inputs": PROMPT, "parameters": {"max_new_tokens": 3}}
    events = [json.loads(data) for _, data in client.stream("/generate_stream", body)]
    assert [event["generated_text"] for event in events] == [None, None, " the leaf of"]


def test_a_chat_counts_its_tokens(client: Client) -> None:
    answer = client.post("/v1/chat/completions", HELLO).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["choices"][0]["message"]["content"] == " the leaf of this plant turns slowly to"
    assert answer["usage"] == {"prompt_tokens": 7, "completion_tokens": 8, "total_tokens": 15}


def test_without_a_limit_the_model_ends_by_itself(client: Client) -> None:
    answer = client.post("/v1/chat/completions", {"messages": HELLO["messages"]}).json()
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_a_stop_sequence_ends_the_answer(client: Client) -> None:
    answer = client.post("/v1/chat/completions", {**HELLO, "stop": ["leaf"]}).json()
    assert answer["choices"][0]["message"]["content"] == " the leaf"
    assert answer["choices"][0]["finish_reason"] == "stop_sequence"


def test_a_streamed_chat_comes_in_pieces_that_are_apart(client: Client) -> None:
    *pieces, (_, done) = client.stream("/v1/chat/completions", {**HELLO, "stream": True})
    assert (len(pieces), done) == (8, "[DONE]")
    times = [at for at, _ in pieces]
    assert times[-1] - times[0] > 0.02
    last = json.loads(pieces[-1][1])
    assert (last["choices"][0]["finish_reason"], last["usage"]) == ("length", None)


def test_usage_is_streamed_where_it_is_asked_for(client: Client) -> None:
    body = {**HELLO, "stream": True, "stream_options": {"include_usage": True}}
    *_, (_, usage), (_, done) = client.stream("/v1/chat/completions", body)
    assert (json.loads(usage)["choices"], done) == ([], "[DONE]")
    assert json.loads(usage)["usage"]["completion_tokens"] == 8


def test_streams_tell_nginx_not_to_buffer(running: Running) -> None:
    body = json.dumps({**HELLO, "stream": True})
    answer = running.raw("POST", "/v1/chat/completions", body, Content_Type="application/json")
    assert answer.headers["X-Accel-Buffering"] == "no"


def test_completions_take_several_prompts(client: Client) -> None:
    body = {"prompt": [PROMPT, "Another one"], "max_tokens": 2}
    answer = client.post("/v1/completions", body).json()
    assert [choice["text"] for choice in answer["choices"]] == [" the leaf", " the leaf"]
    *events, (_, done) = client.stream("/v1/completions", {**body, "stream": True})
    assert (len(events), done) == (4, "[DONE]")


def test_texts_are_cut_into_tokens(client: Client) -> None:
    tokens = client.post("/tokenize", {"inputs": PROMPT}).json()
    assert "".join(token["text"] for token in tokens) == PROMPT
    chat = client.post("/chat_tokenize", HELLO).json()
    assert "".join(token["text"] for token in chat["tokenize_response"]) == chat["templated_text"]


def test_the_doors_of_clouds_lead_to_the_same(client: Client) -> None:
    body = {"inputs": PROMPT, "parameters": {"max_new_tokens": 2}}
    assert client.post("/invocations", body).json() == client.post("/", body).json()
    assert client.post("/invocations", HELLO).json()["object"] == "chat.completion"
    assert client.post("/vertex", {"instances": [body]}).json() == {"predictions": [" the leaf"]}


# Requests that are refused


def test_a_body_must_be_json_and_say_so(running: Running) -> None:
    assert running.raw("POST", "/generate", "{}").status == 415
    assert running.raw("POST", "/generate", "{", Content_Type="application/json").status == 400
    long = json.dumps({"inputs": "x" * 6000})
    assert running.raw("POST", "/generate", long, Content_Type="application/json").status == 413


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/generate", {}, "missing field `inputs` at line 1 column 2"),
        ("/generate", {"inputs": ["a"]}, "inputs: invalid type: sequence, expected a string"),
        ("/v1/chat/completions", {}, "missing field `messages`"),
        ("/v1/chat/completions", {"messages": [{"role": "user"}]}, "messages[0]: data did not match"),
        ("/v1/chat/completions", {**HELLO, "max_tokens": -1}, "invalid value: integer `-1`, expected u32"),
        ("/v1/chat/completions", {**HELLO, "max_completion_tokens": 1}, "duplicate field `max_tokens`"),
        (
            "/v1/chat/completions",
            {**HELLO, "stop": "x"},
            'stop: invalid type: string "x", expected a sequence',
        ),
        ("/v1/chat/completions", {**HELLO, "stream_options": None}, "null, expected struct StreamOptions"),
        ("/v1/completions", {"prompt": []}, "Empty array detected"),
        ("/invocations", {}, "data did not match any variant of untagged enum SagemakerRequest"),
    ],
)
def test_what_serde_cannot_read_is_refused(client: Client, path: str, body: Any, text: str) -> None:
    answer = client.post(path, body)
    assert answer.status == 422
    assert b"Failed to deserialize the JSON body into the target type: " in answer.body
    assert text in answer.body.decode()


FORMS = {
    "OpenAI's": {"type": "json_schema", "json_schema": {"name": "plant", "schema": SCHEMA, "strict": True}},
    "OpenAI's JSON mode": {"type": "json_object"},
    "text": {"type": "text"},
    "no type": {"value": SCHEMA},
    "a bare schema": {"type": "json_schema", "value": SCHEMA},
    "a pattern that is none": {"type": "regex", "value": 1},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_another_form_of_response_format_is_refused(client: Client, form: Any) -> None:
    assert client.post("/v1/chat/completions", {**HELLO, "response_format": form}).status == 422


@pytest.mark.parametrize("kind", ["json", "json_object", "json_schema", "text of json"])
def test_a_grammar_is_kept(client: Client, kind: str) -> None:
    value: Any = {"json_schema": {"name": "plant", "schema": SCHEMA}, "text of json": json.dumps(SCHEMA)}
    form = {"type": kind.split()[-1], "value": value.get(kind, SCHEMA)}
    body = {**HELLO, "max_tokens": 64, "response_format": form}
    choice = client.post("/v1/chat/completions", body).json()["choices"][0]
    validate(json.loads(choice["message"]["content"]), SCHEMA)
    assert choice["finish_reason"] == "stop"


def test_a_regular_expression_is_kept(client: Client) -> None:
    grammar = {"type": "regex", "value": "[0-9]{3}-(red|blue)"}
    answer = client.post("/generate", {"inputs": PROMPT, "parameters": {"grammar": grammar}})
    assert re.fullmatch(grammar["value"], answer.json()["generated_text"])
    grammar["value"] = "["
    assert client.post("/generate", {"inputs": PROMPT, "parameters": {"grammar": grammar}}).status == 424


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"properties": {"a": {"type": "nope"}}}, "grammar is not valid: "),
        ({"enum": ["a"]}, "grammar is not valid: Grammar must have a 'properties' field"),
        ({"properties": {"a": {"type": ["string", "null"]}}}, "'type' must be a string"),
        ({"properties": {"a": {"type": "string", "format": "email"}}}, "Format email is not supported"),
        ({"properties": {"a": {"const": {}}}}, "Unsupported data type in const"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "Invalid reference path: $defs"),
    ],
)
def test_a_schema_that_tgi_cannot_use_is_refused(client: Client, schema: Any, text: str) -> None:
    body = {"inputs": PROMPT, "parameters": {"grammar": {"type": "json", "value": schema}}}
    status, error = failed(client.post("/generate", body))
    assert (status, text in error) == (422, True), error


def test_grammars_can_be_turned_off(tmp_path: Path) -> None:
    with started(tmp_path, DISABLE_GRAMMAR_SUPPORT="true") as it:
        answer = it.client().post("/v1/chat/completions", {**HELLO, "response_format": JSON})
    assert failed(answer) == (422, "Input validation error: grammar is not supported")


@pytest.mark.parametrize(
    ("inputs", "parameters", "text"),
    [
        ("", {}, "`inputs` cannot be empty"),
        ("a " * 60, {"max_new_tokens": 1}, "`inputs` must have less than 50 tokens. Given: "),
        (
            "a",
            {"max_new_tokens": 250},
            "`inputs` tokens + `max_new_tokens` must be <= 250. Given: 1 `inputs` ",
        ),
        ("a", {"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ("a", {"temperature": 0}, "`temperature` must be strictly positive"),
        ("a", {"top_p": 1}, "`top_p` must be > 0.0 and < 1.0"),
        ("a", {"stop": ["a"] * 5}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ("a", {"best_of": 3, "do_sample": True}, "`best_of` must be > 0 and <= 2. Given: 3"),
        ("a", {"truncate": 51}, "`truncate` must be strictly positive and less than 50. Given: 51"),
    ],
)
def test_a_request_beyond_its_limits_is_refused(
    client: Client, inputs: str, parameters: Any, text: str
) -> None:
    status, error = failed(client.post("/generate", {"inputs": inputs, "parameters": parameters}))
    assert (status, error[: len(text) + 24]) == (422, f"Input validation error: {text}")


def test_a_stream_tells_its_error_inside(client: Client) -> None:
    """The status is 200 by then; OpenAI's stream is also ended as it should."""
    body = {"inputs": "a", "parameters": {"max_new_tokens": 0}}
    ((_, native),) = client.stream("/generate_stream", body)
    assert json.loads(native)["error_type"] == "validation"
    chat = {**HELLO, "max_tokens": 0, "stream": True}
    (_, error), (_, done) = client.stream("/v1/chat/completions", chat)
    assert (json.loads(error)["error"]["http_status_code"], done) == (422, "[DONE]")


def test_grammar_and_tools_exclude_each_other(client: Client) -> None:
    body = {**HELLO, "response_format": JSON, "tools": []}
    assert failed(client.post("/v1/chat/completions", body)) == (
        422,
        "Tool error: Grammar and tools are mutually exclusive",
    )


def test_a_chat_template_in_a_file_of_its_own_is_not_seen(tmp_path: Path) -> None:
    folder = tgi.model(tmp_path / "other")
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    with started(tmp_path, MODEL_ID=str(folder)) as it:
        answer = it.client().post("/v1/chat/completions", HELLO)
        assert failed(answer) == (422, "Template error: template not found")
        assert it.client().post("/generate", {"inputs": PROMPT}).status == 200


def test_more_requests_than_it_may_run_are_refused(tmp_path: Path) -> None:
    slow = {"inputs": "a", "parameters": {"max_new_tokens": 400}}
    with started(tmp_path, MAX_CONCURRENT_REQUESTS="1") as it:
        events = it.client().stream("/generate_stream", slow)
        next(events)
        assert failed(it.client().post("/generate", slow)) == (429, "Model is overloaded")
        events.close()


# The end


def test_what_runs_is_finished_before_it_ends(tmp_path: Path) -> None:
    with started(tmp_path) as it:
        events = it.client().stream("/v1/chat/completions", {**HELLO, "max_tokens": 100, "stream": True})
        next(events)
        it.process.terminate()
        rest = list(events)
        assert it.process.wait(20) == 0
    assert (len(rest), rest[-1][1]) == (100, "[DONE]")


def test_it_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    with started(tmp_path, GRACEFUL_TERMINATION_TIMEOUT="1") as it:
        events = it.client().stream("/v1/chat/completions", {**HELLO, "max_tokens": 1000, "stream": True})
        next(events)
        it.process.terminate()
        start = time.monotonic()
        assert it.process.wait(20) == 0
    assert 0.9 < time.monotonic() - start < 4


def test_while_it_ends_it_takes_nothing_new(tmp_path: Path) -> None:
    with started(tmp_path) as it:
        events = it.client().stream("/v1/chat/completions", {**HELLO, "max_tokens": 200, "stream": True})
        next(events)
        it.process.terminate()
        time.sleep(0.3)
        with pytest.raises(Unreachable, match="refused"):
            it.client().get("/health")
        assert list(events)


# Texts that keep to a grammar


@pytest.mark.parametrize(
    "inner",
    [
        {"enum": ["red", 1, None]},
        {"const": "x"},
        {"type": "integer", "minimum": -9, "maximum": -3},
        {"type": "integer", "exclusiveMinimum": 4, "multipleOf": 5},
        {"type": "number", "minimum": 0.2, "exclusiveMaximum": 0.4},
        {"type": "string", "minLength": 7, "maxLength": 9},
        {"type": "string", "maxLength": 2},
        {"type": "string", "pattern": "^[A-Z]{2}-\\d+$"},
        {"type": "string", "format": "uuid"},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3},
        {"type": "array", "maxItems": 0},
        {"type": "object", "minProperties": 2, "additionalProperties": {"type": "boolean"}},
        {"properties": {"b": {"type": "string"}, "c": {}}, "required": ["b"]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"prefixItems": [{"type": "string"}, {"type": "integer"}], "type": "array"},
        {"$ref": "#"},
    ],
)
def test_a_document_satisfies_its_schema(inner: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": inner}, "additionalProperties": False}
    validate(json.loads(document(schema)), schema)


def test_what_cannot_be_made_is_said() -> None:
    twice = {"type": "array", "items": {"const": 1}, "minItems": 2, "uniqueItems": True}
    with pytest.raises(regex.Unknown):
        document({"properties": {"a": twice}})
    with pytest.raises(Bad):
        document({"properties": {"a": {"not": {}}}})
