"""The way of a model to another engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy import catalog
from llmdeploy.catalog.behaviours import behaviours
from llmdeploy.diagnostics import Path
from llmdeploy.engines.table import Table, field_of
from llmdeploy.rewrite.carry import carry, is_converted, lacks
from llmdeploy.rewrite.convert import plain
from llmdeploy.rewrite.machine import driver
from llmdeploy.rewrite.names import is_own, known, named
from llmdeploy.rewrite.report import Kind, Rewrite, shown
from llmdeploy.rewrite.way import Way

_OF_THE_MODEL = (
    *("max_model_len", "max_num_seqs", "dtype", "trust_remote_code", "tool_call_parser", "reasoning_parser"),
    *("limit_mm_per_prompt", "enforce_eager", "override_generation_config", "tokenizer_mode", "quantization"),
    "chat_template",
)
"""Arguments whose default a Bento chooses for its model; the others are alike in all Bentos."""

_OFF = ("prefix_caching", "structured_output")
"""Fields that say what an engine shall not do: one that never does it needs no such word."""

_NO_BACKEND = {"backend": "none"}
"""The long form of `structured_output: false`."""


def plan(
    model: str,
    stated: Mapping[str, Any],
    before: Table,
    after: Table,
    version: str,
    vendor: str | None = None,
) -> Rewrite:
    """Plan the way of `model`, stated as llm.yaml has it, to the newest release of another engine."""
    way = Way(model, stated, before, after)
    _source(way)
    _engine(way)
    for key, value in _strangers_first(way):
        carry(way, ("engine_args", key), key, value)
    for name, value in way.entries("env").items():
        if is_own(name, before):
            carry(way, ("env", name), name, plain(value))
    _fields(way)
    for row in behaviours(before.name, after.name, stated):
        way.say(Kind.BEHAVES, row.what, why=row.text, source=row.source, at=_stated_at(row.field))
    if vendor in (None, "nvidia"):
        way.items.extend(driver((before, version), (after, after.versions[0])))
    ends = ((before.name, version), (after.name, after.versions[0]))
    lifted = frozenset({"LD505"} if before.lifecycle and not after.lifecycle else ())
    return Rewrite(model, *ends, tuple(way.items), tuple(way.edits), tuple(_kept(way)), lifted)


def _strangers_first(way: Way) -> list[tuple[str, Any]]:
    """Return `engine_args`: what the old engine does not know goes, and must not stand in another's way by its name."""

    def is_known(entry: tuple[str, Any]) -> bool:
        return known(named(*entry, way.before).name, way.before) is not None

    return sorted(way.entries("engine_args").items(), key=is_known)


def _engine(way: Way) -> None:
    way.put(("engine",), way.after.name)
    if "engine_version" in way.stated:
        way.put(("engine_version",), way.after.versions[0])
    for key, why in (
        ("image", f"it is an image of {way.before.title}"),
        ("needs", "it is for `engine: auto`, and the engine is named now"),
    ):
        if key in way.stated:
            way.remove((key,))
            way.say(Kind.LOST, way.shown((key,), way.stated[key]), why=why, at=(key,))


def _source(way: Way) -> None:
    """An OpenLLM tag becomes the Hub id behind it, with what its Bento sets and the file does not say."""
    source = way.stated.get("source")
    tag = source.get("openllm") if isinstance(source, dict) else None
    bento = catalog.bento(str(tag)) if tag is not None else None
    if bento is None:
        return
    for field, value, said in (
        ("source", bento.hub_id, way.shown(("source",), source)),
        ("revision", bento.revision, "the commit that the Bento pins"),
        ("served_names", [bento.hub_id], "the name that the Bento answers to"),
    ):
        if field == "source" or field not in way.stated:
            way.put((field,), value)
            at = ("source",) if field == "source" else None
            way.say(Kind.FIELD, said, way.shown((field,), value), at=at)
    given = {key.lstrip("-").replace("-", "_") for key in way.entries("engine_args")}
    for name, argument in bento.args.items():
        if name in _OF_THE_MODEL and name not in given and argument.default is not None:
            carry(way, None, name, argument.default)


def _fields(way: Way) -> None:
    """Fields that the new engine lacks: those that forbid, or that it only notes, go; of others the compiler tells."""
    for name in _OFF:
        stated = way.stated.get(name)
        if stated in (False, _NO_BACKEND) and name not in way.after.settings:
            way.remove((name,))
            way.say(Kind.LOST, f"{name}: {shown(stated)}", why=lacks(way, (name,)), at=(name,))
    for name, noted in way.after.noted.items():
        field = field_of(name)
        if field not in way.stated or name not in way.before.settings or name in way.after.settings:
            continue
        if is_converted(way, name):
            why = "of the whole card; what it comes to for weights and KV cache alone is what the engine gets"
            way.say(Kind.BEHAVES, way.shown((field,), way.stated[field]), why=why, at=(field,))
        else:
            way.remove((field,))
            way.say(Kind.LOST, way.shown((field,), way.stated[field]), why=noted.message, at=(field,))


def _stated_at(field: str | None) -> Path | None:
    return (field,) if field else None


def _kept(way: Way) -> Iterator[str]:
    """Yield what no edit and no word speaks of; of `env` and `engine_args`, entry by entry."""
    edited = {edit.path[2:] for edit in way.edits} | {item.at for item in way.items}
    for key in way.stated:
        inner = way.entries(key) if key in ("env", "engine_args") else None
        paths = [(key,)] if inner is None else [(key, name) for name in inner]
        yield from (".".join(path) for path in paths if path not in edited and path != ("engine",))
