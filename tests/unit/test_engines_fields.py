"""Adapters, parsers, drafts: one field of llm.yaml, and what each engine is told for it."""

from __future__ import annotations

import json

import pytest
from support.settings import ENGINES, HERE, settings

from llmdeploy.catalog.flags import flag_table
from llmdeploy.engines.base import Adapter, Repository, Speculation

SQL = Adapter("sql", "/adapters/sql", 16)
DRAFTER = "org/drafter"


def added(engine, values, **changes):
    """What these settings add to the command line."""
    lowered = ENGINES[engine].lower(settings(engine, values, **changes))
    assert [found for found in lowered.diagnostics if found.code not in ("LD505",)] == []
    plain = ENGINES[engine].lower(settings(engine)).launch
    assert lowered.launch.args[: len(plain.args)] == plain.args
    return " ".join(lowered.launch.args[len(plain.args) :])


def refused(engine, values, **changes):
    (found,) = ENGINES[engine].lower(settings(engine, values, **changes)).diagnostics
    return found


@pytest.mark.parametrize(
    ("method", "model", "expected"),
    [
        ("ngram", None, {"method": "ngram", "num_speculative_tokens": 4}),
        ("draft", DRAFTER, {"method": "draft_model", "model": DRAFTER, "num_speculative_tokens": 4}),
        ("eagle3", DRAFTER, {"method": "eagle3", "model": DRAFTER, "num_speculative_tokens": 4}),
        ("mtp", None, {"method": "mtp", "num_speculative_tokens": 4}),
    ],
)
def test_vllm_drafts(method, model, expected):
    words = added("vllm", {"speculative": Speculation(method, 4, model)})
    flag, config = words.split(" ", 1)
    assert (flag, json.loads(config)) == ("--speculative-config", expected)


def test_vllm_has_medusa_until_it_dropped_it():
    medusa = {"speculative": Speculation("medusa", 4, DRAFTER)}
    assert "dropped" in refused("vllm", medusa, version="0.33.0").message
    assert "medusa" in added("vllm", medusa, version="0.32.0")


@pytest.mark.parametrize(
    ("method", "model", "expected"),
    [
        (
            "ngram",
            None,
            "--speculative-algorithm NGRAM --speculative-ngram-max-bfs-breadth 1 --speculative-num-draft-tokens 5",
        ),
        (
            "draft",
            DRAFTER,
            f"--speculative-algorithm STANDALONE --speculative-draft-model-path {DRAFTER}"
            " --speculative-num-steps 4 --speculative-eagle-topk 1 --speculative-num-draft-tokens 5",
        ),
        (
            "mtp",
            None,
            "--speculative-algorithm NEXTN"
            " --speculative-num-steps 4 --speculative-eagle-topk 1 --speculative-num-draft-tokens 5",
        ),
    ],
)
def test_sglang_drafts(method, model, expected):
    assert added("sglang", {"speculative": Speculation(method, 4, model)}) == expected


@pytest.mark.parametrize(("engine", "method"), [("sglang", "medusa"), ("tgi", "eagle3"), ("tgi", "mtp")])
def test_a_method_that_the_engine_lacks(engine, method):
    lowered = ENGINES[engine].lower(settings(engine, {"speculative": Speculation(method, 4)}))
    assert [found.path for found in lowered.diagnostics if found.code == "LD309"] == [(*HERE, "speculative")]


def test_tgi_reads_a_whole_prompt_in_one_step_where_it_drafts():
    values = {"speculative": Speculation("ngram", 3), "context": 8192}
    env = ENGINES["tgi"].lower(settings("tgi", values)).launch.env
    assert (env["SPECULATE"], env["MAX_BATCH_PREFILL_TOKENS"]) == ("3", "8191")


def test_vllm_makes_room_for_each_adapter_at_the_rank_that_it_has():
    two = (SQL, Adapter("doc", "/adapters/doc", 100))
    assert added("vllm", {"adapters": two}) == (
        "--enable-lora --lora-modules sql=/adapters/sql doc=/adapters/doc --max-lora-rank 128 --max-loras 2"
    )


def test_the_users_own_number_of_slots_stands():
    two = (SQL, Adapter("doc", "/adapters/doc", 8))
    words = added("vllm", {"adapters": two}, engine_args={"max_loras": 1})
    assert words.count("--max-loras") == 1 and words.endswith("--max-loras 1")


def test_vllm_has_no_rank_beyond_its_largest():
    found = refused("vllm", {"adapters": (Adapter("big", "/adapters/big", 513),)})
    assert found.path == (*HERE, "adapters", "big", "rank")


@pytest.mark.parametrize(("engine", "name"), [("vllm", "sql"), ("sglang", "chat:sql"), ("tgi", "sql")])
def test_what_clients_write_to_have_an_adapter(engine, name):
    values = {"adapters": (SQL,), "served_names": ("chat",)}
    assert ENGINES[engine].lower(settings(engine, values)).adapter_names == {"sql": name}


@pytest.mark.parametrize(
    ("engine", "values", "expected"),
    [
        ("vllm", {"tools": "llama3"}, "--enable-auto-tool-choice --tool-call-parser llama3_json"),
        ("vllm", {"tools": "gpt-oss"}, "--enable-auto-tool-choice --tool-call-parser openai"),
        ("sglang", {"tools": "llama3_json"}, "--tool-call-parser llama3"),
        ("sglang", {"tools": "deepseek_v31"}, "--tool-call-parser deepseekv31"),
        ("vllm", {"reasoning": "deepseek-r1"}, "--reasoning-parser deepseek_r1"),
        ("sglang", {"reasoning": "deepseek_r1"}, "--reasoning-parser deepseek-r1"),
        ("openllm", {"tools": "llama3_json"}, "--arg tool_call_parser=llama3_json"),
    ],
)
def test_parsers_go_by_either_engines_name(engine, values, expected):
    words = added(engine, values) if engine != "openllm" else None
    if words is None:
        args = ENGINES[engine].lower(settings(engine, values)).launch.args
        words = " ".join(args[-2:])
    assert words == expected


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
@pytest.mark.parametrize("setting", ["tools", "reasoning"])
def test_every_translation_is_a_parser_that_the_engine_has(engine, setting):
    row, table = ENGINES[engine].table.settings[setting], flag_table(engine)
    assert table and row.flag
    version = ENGINES[engine].versions[0]
    flag = table.find(row.flag, version)
    assert flag
    legal = flag.choices if row.registry == "choices" else table.registry(row.registry, version)
    assert set(row.translated.values()) <= set(legal)
    assert not set(row.translated) & set(legal), "a name that the engine has needs no translation"


def test_an_unknown_parser_is_refused_with_the_one_that_was_meant_or_all():
    assert refused("vllm", {"tools": "hermse"}).help == "did you mean `hermes`?"
    found = refused("vllm", {"tools": "qwzx"})
    assert found.code == "LD309" and "`llama3_json`" in (found.help or "")


def test_a_plugin_may_bring_a_parser():
    words = added("vllm", {"tools": "mine"}, engine_args={"tool-parser-plugin": "/plugins/mine.py"})
    assert "--tool-call-parser mine" in words


def test_what_stands_beside_the_model_is_fetched_after_it():
    further = (Repository("org/draft"), Repository("org/sql", "/models/adapters/org/sql"))
    download = ENGINES["vllm"].lower(settings("vllm", further=further)).download
    assert download
    shell, option, script = download.command
    assert (shell, option) == ("sh", "-ec")
    assert script.splitlines() == [
        "hf download meta-llama/Llama-3.3-70B-Instruct --exclude 'original/*'",
        "hf download org/draft --exclude 'original/*'",
        "hf download org/sql --exclude 'original/*' --local-dir /models/adapters/org/sql",
    ]


def test_a_model_of_the_host_with_an_adapter_of_the_hub_fetches_the_adapter_alone():
    further = (Repository("org/sql", "/models/adapters/org/sql"),)
    lowered = ENGINES["vllm"].lower(settings("vllm", source="path", model="/model", further=further))
    assert lowered.download and lowered.download.command[:3] == ("hf", "download", "org/sql")
    assert lowered.launch.env["HF_HOME"] == "/models"
