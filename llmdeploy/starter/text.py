"""The file itself, with comments that say what to change."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from llmdeploy.starter.choice import Choice
from llmdeploy.starter.pools import Pool

HEADER = """\
yaml-language-server: $schema=llm.schema.json
Completion and checks in your editor: `llmdeploy schema > llm.schema.json`
`llmdeploy plan` shows what would run and why, `llmdeploy build` writes the artifacts."""

_GPUS = "Pools of hardware. `count` is the GPUs of one node; of several nodes, add `nodes: 2`."
_SECRETS = "References only: the token stays in the environment, or in a Secret of the cluster."
_MODELS = "`engine` chooses vllm (the default), sglang, tgi or openllm: see `llmdeploy engines`."
_ROUTES = """\
A second model is one more key of `models`, on GPUs that are left, and one more route:
  second:
    source: Qwen/Qwen3-1.7B
    gpus: {pool: POOL, count: 1}
    context: 8192"""
_TOKEN = """\
A model with a licence to accept needs a token: `token: hf-token` on the model, and
secrets:
  hf-token: {env: HF_TOKEN, kubernetes: {name: hf-token, key: token}}"""


def write(
    name: str, pools: Sequence[Pool], choices: Sequence[Choice], engine: str | None, ended: bool
) -> str:
    """Return the llm.yaml. `ended`: nobody maintains the engine, so its warning is waived."""
    models = ["chat", *(f"chat-{number}" for number in range(2, len(pools) + 1))]
    gated = any(choice.gated for choice in choices)
    file = CommentedMap(version=1, name=name)
    file["gpus"] = CommentedMap({pool.name: _flow(pool.entry) for pool in pools})
    if gated:
        file["secrets"] = CommentedMap({"hf-token": _flow(_token_reference())})
    entries = [
        _model(pool, choice, engine, ended, len(pools)) for pool, choice in zip(pools, choices, strict=True)
    ]
    file["models"] = CommentedMap(zip(models, entries, strict=True))
    file["routes"] = CommentedSeq([_flow({"path": f"/{model}", "model": model}) for model in models])
    if any(choice.openllm or choice.is_path for choice in choices):
        file["targets"] = CommentedMap(docker=CommentedMap(), compose=CommentedMap())
    _comment(file, "gpus", _GPUS)
    if gated:
        _comment(file, "secrets", _SECRETS)
    _comment(file, "models", _MODELS if gated else f"{_MODELS}\n{_TOKEN}")
    _comment(file, "routes", _ROUTES.replace("POOL", pools[0].name))
    if "targets" in file:
        _comment(file, "targets", "What lies on this host, or is built on it, is for docker and Compose.")
    file["routes"].yaml_add_eol_comment(f"http://127.0.0.1:8080/{models[0]}/v1/chat/completions", 0, column=0)
    file.yaml_set_start_comment(HEADER)
    return _dump(file)


def _token_reference() -> dict[str, Any]:
    return {"env": "HF_TOKEN", "kubernetes": _flow({"name": "hf-token", "key": "token"})}


def _model(pool: Pool, choice: Choice, engine: str | None, ended: bool, pools: int) -> CommentedMap:
    source = _flow({"openllm": choice.source}) if choice.openllm else choice.source
    gpus = _flow({"pool": pool.name, "count": choice.gpus}) if pools > 1 else choice.gpus
    on_cpu = pool.vendor == "cpu"
    rows: list[tuple[str, Any, str]] = [
        ("source", source, "a Hub id, or a directory: ./models/mine"),
        ("token", "hf-token" if choice.gated else None, "accept the licence on the Hub first"),
        ("engine", engine, "llmdeploy: allow LD505" if ended else ""),
        ("gpus", None if on_cpu and pools == 1 else gpus, "" if on_cpu else "of one replica"),
        ("dtype", choice.dtype, "" if on_cpu else "this GPU has no bfloat16"),
        ("context", choice.context, "tokens of one request, prompt and answer"),
        ("concurrency", choice.concurrency, "requests that run at once"),
    ]
    entry = CommentedMap({key: value for key, value, _ in rows if value is not None})
    for key, value, comment in rows:
        if value is not None and comment:
            entry.yaml_add_eol_comment(comment, key, column=0)
    return entry


def _flow(value: dict[str, Any]) -> CommentedMap:
    """Write a mapping on one line. A list in it follows, for YAML has no block inside a flow."""
    entry = CommentedMap(value)
    entry.fa.set_flow_style()
    return entry


def _comment(file: CommentedMap, key: str, text: str) -> None:
    file.yaml_set_comment_before_after_key(key, before=f"\n{text}")


def _dump(file: CommentedMap) -> str:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 200
    stream = StringIO()
    yaml.dump(file, stream)
    return stream.getvalue()
