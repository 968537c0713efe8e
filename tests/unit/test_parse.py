"""From plain data to a Spec, or to diagnostics in our own words at the paths of the file."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.diagnostics.model import Place
from llmdeploy.source import PlainNumber, read
from llmdeploy.spec.model import Spec
from llmdeploy.spec.parse import parse

HEAD = "version: 1\nname: demo\n"
POOL = "gpus: {h100: {type: h100-sxm-80gb, count: 8}}\n"
MODEL = "models:\n  chat:\n    source: Qwen/Qwen3-8B\n"
LEAST = HEAD + POOL + MODEL


def spec(text: str) -> Spec:
    source, problems = read(text)
    parsed, found = parse(source)
    assert not problems + found
    assert parsed is not None
    return parsed


def problems(text: str) -> list[Diagnostic]:
    source, refused = read(text)
    assert not refused
    parsed, found = parse(source)
    assert parsed is None
    return found


def only(text: str) -> Diagnostic:
    [problem] = problems(text)
    return problem


def test_the_least_spec_parses() -> None:
    assert spec(LEAST).models["chat"].source.hub == "Qwen/Qwen3-8B"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("source: Qwen/Qwen3-8B", "source: {hub: Qwen/Qwen3-8B}"),
        ("source: ./weights", "source: {path: ./weights}"),
        ("source: ~/weights", "source: {path: ~/weights}"),
        ("source: a/b\n    gpus: 4", "source: {hub: a/b}\n    gpus: {count: 4}"),
        (
            "source: a/b\n    structured_output: true",
            "source: {hub: a/b}\n    structured_output: {backend: auto}",
        ),
        ("source: a/b\n    structured_output: true", "source: {hub: a/b}"),
        (
            "source: a/b\n    structured_output: false",
            "source: {hub: a/b}\n    structured_output: {backend: none}",
        ),
        (
            "source: a/b\n    adapters: {s: {source: c/d, rank: 8}}",
            "source: a/b\n    adapters: {s: {source: {hub: c/d}, rank: 8}}",
        ),
    ],
)
def test_a_short_form_is_its_long_form(short: str, long: str) -> None:
    first, second = (HEAD + POOL + f"models:\n  chat:\n    {form}\n" for form in (short, long))
    assert spec(first) == spec(second)


@pytest.mark.parametrize("revision", ["12e5", "0x1F", "1.10", "007", '"12e5"'])
def test_a_plain_number_is_text_as_written(revision: str) -> None:
    assert spec(LEAST + f"    revision: {revision}\n").models["chat"].revision == revision.strip('"')


def test_engine_arguments_keep_their_types_and_how_they_were_written() -> None:
    arguments = (
        spec(LEAST + "    engine_args: {a: 1, b: 0.10, c: true, d: ~, e: [1], f: text}\n")
        .models["chat"]
        .engine_args
    )
    assert arguments == {"a": 1, "b": 0.1, "c": True, "d": None, "e": [1], "f": "text"}
    assert isinstance(arguments["b"], PlainNumber)
    assert arguments["b"].text == "0.10"


def test_free_json_is_made_of_ordinary_numbers() -> None:
    compose = spec(LEAST + "targets: {compose: {overrides: {a: [1, 2.5, ~]}}}\n").targets.compose
    assert compose is not None
    assert [type(item) for item in compose.overrides["a"]] == [int, float, type(None)]


def test_the_targets_that_are_listed_are_known() -> None:
    assert spec(LEAST + "targets: {helm: {}, docker: {}}\n").targets.model_fields_set == {"helm", "docker"}


class Nomad(BaseModel):
    region: str = "eu"


def test_a_further_target_brings_its_options() -> None:
    source, _ = read(LEAST + "targets: {nomad: {region: us}, docker: {}}\n")
    assert [d.code for d in parse(source)[1]] == ["LD101"]
    parsed, found = parse(source, {"nomad": Nomad})
    assert not found
    assert parsed is not None
    options: Any = parsed.targets
    assert options.nomad.region == "us"


C = "models.chat."
CASES = [
    # An unknown key, and where it may have been meant
    ("    dtyp: auto", "LD101", C + "dtyp", "did you mean `dtype`?"),
    ("    count: 4", "LD101", C + "count", "`count` belongs under `gpus`"),
    (
        "    gpus: {replicas: 2}",
        "LD101",
        C + "gpus.replicas",
        "`replicas` belongs further out, in `models.chat`",
    ),
    ("    routes: []", "LD101", C + "routes", "`routes` belongs further out, in the top of the file"),
    (
        "    parallel: {zzz: 2}",
        "LD101",
        C + "parallel.zzz",
        "it takes `tensor`, `pipeline`, `data` or `expert`",
    ),
    ("routs: []", "LD101", "routs", "did you mean `routes`?"),
    ("targets: {dockr: {}}", "LD101", "targets.dockr", "did you mean `docker`?"),
    ("storage: {cache: {clas: x}}", "LD101", "storage.cache.clas", "did you mean `class`?"),
    # A missing key
    ("  more: {}", "LD102", "models.more.source", "add `source: Qwen/Qwen3-8B`"),
    ("routes: [{model: chat}]", "LD102", "routes.0.path", "add `path: /batch`"),
    ("gateway: {tls: {}}", "LD102", "gateway.tls.secret", "add `secret: llm-tls`"),
    # A wrong type
    ("    prefix_caching: yes", "LD103", C + "prefix_caching", "write `true`"),
    ('    context: "5"', "LD103", C + "context", "write `5` without quotes"),
    ("    context: 5.0", "LD103", C + "context", None),
    ("    revision: true", "LD103", C + "revision", "put quotes around text"),
    ("    env: {A: true}", "LD103", C + "env.A", "put quotes around text"),
    ("    gpus: four", "LD103", C + "gpus", None),
    ("    gpus: true", "LD103", C + "gpus", None),
    (
        "    structured_output: 1",
        "LD103",
        C + "structured_output",
        "write `structured_output: {backend: xgrammar}`",
    ),
    ("    served_names: a", "LD103", C + "served_names", None),
    (
        "storage: {cache: {size: true}}",
        "LD103",
        "storage.cache.size",
        "write a number with MiB, GiB or TiB, like `48GiB`",
    ),
    # An explicit null
    ("    engine:", "LD103", C + "engine", "leave the key out for its default"),
    ("    adapters: {a: {source: x/y, rank: }}", "LD103", C + "adapters.a.rank", "write `rank: 16`"),
    ("    env: {A: ~}", "LD103", C + "env.A", "leave the key out for its default"),
    ("targets: {docker: }", "LD103", "targets.docker", "write `{}` for its defaults, or leave the key out"),
    ("  more:", "LD103", "models.more", "write `{}` for its defaults, or leave the key out"),
    # A value that is not legal
    ("    replicas: 0", "LD104", C + "replicas", None),
    ("    gpus: 0", "LD104", C + "gpus", None),
    ("    memory_fraction: 1.5", "LD104", C + "memory_fraction", None),
    ("    memory_fraction: .nan", "LD104", C + "memory_fraction", None),
    ("    engine_args: {a: .inf}", "LD104", C + "engine_args.a", "put quotes around text"),
    ("    served_names: []", "LD104", C + "served_names", "give at least one entry"),
    ('    revision: ""', "LD104", C + "revision", "write some text"),
    ("    task: embedd", "LD104", C + "task", "did you mean `embed`? legal: `generate` or `embed`"),
    ("    ready_timeout: 48h", "LD104", C + "ready_timeout", "write a duration like `20m`"),
    # A malformed value
    ('gateway: {host: "10.0.0.1"}', "LD105", "gateway.host", "leave `host` out, or write a name"),
    ("    source2: a\n  B: {source: a}", "LD101", C + "source2", "did you mean `source`?"),
    ("    env: {'A B': x}", "LD105", C + "env.A B", "write it like `HF_TOKEN`"),
    ("    ready_timeout: 20", "LD105", C + "ready_timeout", "write a number with s, m or h, like `20m`"),
    ("routes: [{path: chat, model: chat}]", "LD105", "routes.0.path", "write it like `/chat`"),
    ("gateway: {host: Ex ample}", "LD105", "gateway.host", "write it like `llm.example.com`"),
    ("targets: {docker: {bind: localhost}}", "LD105", "targets.docker.bind", None),
    # Keys that exclude or need each other
    ("  more: {source: {}}", "LD106", "models.more.source", None),
    ("  more: {source: {hub: a/b, path: ./c}}", "LD106", "models.more.source", None),
    ("secrets: {hf: {}}", "LD106", "secrets.hf", "write `{env: HF_TOKEN}`"),
    ("routes: [{path: /a}]", "LD106", "routes.0", "keep one: `model: chat` or `by: model`"),
    ("routes: [{path: /a, model: chat, by: model}]", "LD106", "routes.0", None),
]


@pytest.mark.parametrize(("line", "code", "path", "help"), CASES, ids=[case[0].strip() for case in CASES])
def test_a_wrong_line_is_named_by_its_code_and_path(
    line: str, code: str, path: str, help: str | None
) -> None:
    problem = problems(LEAST + line + "\n")[0]
    assert (problem.code, ".".join(map(str, problem.path))) == (code, path)
    if help is not None:
        assert problem.help == help


@pytest.mark.parametrize(
    ("pool", "code", "path"),
    [
        ("{type: h100-sxm-80gb}", "LD102", ("gpus", "p", "count")),
        ("{count: 8}", "LD106", ("gpus", "p")),
        ("{vendor: nvidia, memory: 48GiB, count: 1}", "LD106", ("gpus", "p")),
        ("{vendor: amd, count: 1}", "LD106", ("gpus", "p")),
        ("{type: cpu, memory: 16GB}", "LD105", ("gpus", "p", "memory")),
        ("{type: l4, count: 1, devices: []}", "LD104", ("gpus", "p", "devices")),
    ],
)
def test_a_pool_says_what_it_is_made_of(pool: str, code: str, path: tuple[str, ...]) -> None:
    problem = only(HEAD + f"gpus: {{p: {pool}}}\n" + MODEL)
    assert (problem.code, problem.path) == (code, path)


@pytest.mark.parametrize(
    "pool", ["{type: CPU}", "{vendor: amd, memory: 64GiB, count: 1}", "{type: l4, count: 1}"]
)
def test_a_pool_may_be_declared_or_known(pool: str) -> None:
    spec(HEAD + f"gpus: {{p: {pool}}}\n" + MODEL)


@pytest.mark.parametrize(
    ("version", "code"),
    [("2", "LD107"), ("0", "LD107"), ("true", "LD103"), ('"1"', "LD103"), ("1.0", "LD103")],
)
def test_only_version_1_is_read(version: str, code: str) -> None:
    problem = only(LEAST.replace("version: 1", f"version: {version}"))
    assert (problem.code, problem.path) == (code, ("version",))


def test_another_version_hides_the_rest() -> None:
    assert [d.code for d in problems("version: 2\nunknown: 3\n")] == ["LD107"]


def test_all_errors_come_at_once_and_in_the_order_of_the_file() -> None:
    found = problems("name: X_\nmodls: {}\ngpus: {p: {type: l4}}\n")
    assert [d.code for d in found] == ["LD102", "LD102", "LD105", "LD101", "LD102"]


def test_an_error_in_a_name_is_located_at_the_name() -> None:
    problem = only(LEAST + "  Up_Case: {source: a/b}\n")
    assert (problem.code, problem.path, problem.place) == ("LD105", ("models", "Up_Case"), Place.KEY)


def test_an_error_in_a_short_form_is_located_where_it_is_written() -> None:
    problem = only(HEAD + POOL + "models: {chat: {source: 'a b'}}\n")
    assert problem.path == ("models", "chat", "source")


SECRETS = [
    "secrets: {hf: hf_abcdefgh}",
    "secrets: {hf: opensesame}",
    "secrets: {hf: {env: 'opensesame!'}}",
    "secrets: {hf: [opensesame]}",
    "    env: {HF_TOKEN: [opensesame]}",
    "    env: {'sk-opensesame': 1, A: true}",
    "    dtype: hf_opensesame",
    "    context: sk-opensesame",
    "    engine: {hf_opensesame: 1}",
]


@pytest.mark.parametrize("line", SECRETS)
def test_a_credential_is_never_repeated(line: str) -> None:
    for problem in problems(LEAST + line + "\n"):
        said = f"{problem.message} {problem.help} {problem.notes}"
        assert "opensesame" not in said
        assert "hf_abcdefgh" not in said


def test_a_literal_secret_asks_for_a_reference() -> None:
    problem = only(LEAST + "secrets: {hf: hf_abcdefgh}\n")
    assert problem.code == "LD103"
    assert "reference" in problem.message
    assert problem.help is not None
    assert "{env: NAME}" in problem.help
