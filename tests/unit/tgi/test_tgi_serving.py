"""The stand-in for TGI answers as TGI 3.3.7 does, and ends as it does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate
from support.tgi.running import Running, started
from support.tgi.server import OPEN_GET, OPEN_POST, PROTECTED

from llmdeploy.runtime.http import Answer, Client, Unreachable
from llmdeploy.runtime.smoke.checks import SCHEMA

KEY = "not-a-real-key"
HELLO = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
PROMPT = "Describe a small plant."
JSON = {"type": "json", "value": SCHEMA}


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
