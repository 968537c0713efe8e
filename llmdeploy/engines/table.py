"""`engine.yaml`: what an engine is, as data. Read once, when the engine is first imported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Literal

import yaml
from msgspec import Struct, field

from llmdeploy.catalog.versions import within
from llmdeploy.plan.model import Api, Drain, Endpoint, Match, NativeRequest, PrefixCache, User

_FIELDS = {
    "tensor": "parallel.tensor",
    "pipeline": "parallel.pipeline",
    "data": "parallel.data",
    "expert": "parallel.expert",
    "kv_dtype": "kv_cache.dtype",
    "kv_bytes": "gpus.memory",
    "kv_tokens": "gpus.share",
    "static_fraction": "memory_fraction",
    "grammar_backend": "structured_output.backend",
    "embed": "task",
    "tools": "tools.parser",
    "reasoning": "reasoning.parser",
}


def field_of(setting: str) -> str:
    """Return where llm.yaml states a setting."""
    return _FIELDS.get(setting, setting)


class Setting(Struct, frozen=True):
    """How an engine spells one neutral setting: with a flag (perhaps a field of its JSON, behind a dot) or a variable,
    or with neither where its only value is what the engine does.

    With a `key` the value is written `key=value`. A `switch` stands for the setting by being there, with the
    text `set` where it takes one; `first` takes one of several values. Where the engine's words are a closed
    set, `values` has them (one, or one for each vendor that has it). Where the vendor is not among
    `vendors`, another setting speaks for this one.

    `json` writes a mapping as JSON, and `own` leaves the spelling to the engine's own code. `together` are words
    that the flag needs before it. A value under another engine's name is looked up in `translated`; what the
    engine has is in its `registry`, or among the choices of the flag, at the version that is asked.
    """

    name: str
    source: str
    flag: str | None = None
    env: str | None = None
    key: str | None = None
    kind: Literal["value", "list", "first", "switch", "json", "own"] = "value"
    together: tuple[str, ...] = ()
    set: str | None = None
    values: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    translated: Mapping[str, str] = field(default_factory=dict)
    registry: str | None = None
    because: str | None = None
    vendors: tuple[str, ...] = ("nvidia", "amd", "cpu")
    also_env: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    instead: str | None = None
    """The field that this follows from, where it has none of its own."""

    @property
    def spelled(self) -> tuple[str | None, ...]:
        """Every way to give it among `engine_args`."""
        return (self.key and "--" + self.key.replace("_", "-")) or self.flag, *self.together, *self.aliases

    @property
    def use(self) -> str:
        """Say what a user states instead."""
        return f"use `{self.instead or field_of(self.name)}`"

    def spellings(self, vendor: str) -> Mapping[str, str]:
        """Return the engine's word for each value that it takes on this vendor's hardware."""
        words = {
            text: word if isinstance(word, str) else word.get(vendor) for text, word in self.values.items()
        }
        return {text: word for text, word in words.items() if word is not None}

    def in_version(self, version: str) -> bool:
        return within(version, self.since, self.until)


class Image(Struct, frozen=True):
    """An image for an accelerator, with `{version}` to be filled in; the first that matches is taken."""

    vendor: str
    image: str
    source: str
    arch: str | None = None


class Noted(Struct, frozen=True):
    """What is said of a setting that has no counterpart and may be left out."""

    code: str
    message: str


class Table(Struct, frozen=True):
    """The whole of an `engine.yaml`, in its words; schemas/engine.schema.json says what each is for.

    `limits` are rows of `engines.limits.Limits` for spans of releases, `startup` those of `engines.base.Phase`, `calibration` those of `memory.model.Calibration`. `owned_flags` and `owned_env` have
    everything that the compiler decides, and what a user does instead.
    `args`, `env` and `download` are templates over the facts that `lowering` knows.
    """

    name: str
    title: str
    status: Literal["maintained", "archived", "dormant"]
    lifecycle: Mapping[str, str]
    versions: tuple[str, ...]
    serves: tuple[str, ...]
    images: tuple[Image, ...]
    entrypoint: tuple[str, ...]
    args: tuple[str, ...]
    port: int
    env: Mapping[str, str]
    hub_env: Mapping[str, str]
    vendors: Mapping[str, Mapping[str, Any]]
    api_key_env: str | None
    key_logged: str | None
    user: Mapping[str, User]
    cache: str
    download: tuple[str, ...]
    probes: Mapping[str, str]
    earlier_probes: tuple[str, Mapping[str, str]] | None
    drain: Drain
    startup: tuple[Mapping[str, Any], ...]
    calibration: tuple[Mapping[str, Any], ...]
    endpoints: tuple[Endpoint, ...]
    api: Api
    settings: Mapping[str, Setting]
    noted: Mapping[str, Noted]
    limits: tuple[Mapping[str, Any], ...]
    lacking: Mapping[str, str]
    owned_flags: Mapping[str, str]
    owned_env: Mapping[str, str]
    engine_args: Literal["arguments", "environment", "pairs"]
    abbreviations: bool
    fields: bool
    sizes: Mapping[str, int]
    variables: tuple[str, ...]
    line: int


def probes_of(table: Table, version: str) -> Mapping[str, str]:
    """Return the paths that a version answers on."""
    if table.earlier_probes is not None and within(version, None, table.earlier_probes[0]):
        return table.earlier_probes[1]
    return table.probes


def load(package: str) -> Table:
    """Read the `engine.yaml` beside a package's `__init__.py`; common.yaml has what all engines share.

    Our own engines' tables are read as `make catalogs` has compiled them: every command reads some.
    """
    return table(_compiled(package, "engine"), _compiled("llmdeploy.engines", "common"))


def _compiled(package: str, name: str) -> Mapping[str, Any]:
    compiled = files(package) / f"{name}.json"
    if not compiled.is_file():
        return read(package, f"{name}.yaml")
    data: Mapping[str, Any] = json.loads(compiled.read_bytes())
    return data


def read(package: str, name: str) -> Mapping[str, Any]:
    """Return the data of a YAML file of a package."""

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's takes a twentieth of the time
    data: Mapping[str, Any] = yaml.load((files(package) / name).read_text(encoding="utf-8"), loader)
    return data


def table(data: Mapping[str, Any], common: Mapping[str, Any]) -> Table:
    """Turn the data of an `engine.yaml` into a `Table`."""
    sources = data["sources"]
    settings = {name: _setting(name, row, sources) for name, row in data["settings"].items()}
    variables = _owned_env([*data["owned"], *common["owned"]], settings)
    return Table(
        name=data["name"],
        title=data["title"],
        status=data["status"],
        lifecycle=data.get("lifecycle", {}),
        versions=tuple(data["versions"]),
        serves=tuple(data.get("serves", ("hub", "path"))),
        images=tuple(Image(**row) for row in data["images"]),
        entrypoint=tuple(data["entrypoint"]),
        args=tuple(data.get("args", ())),
        port=data["port"],
        env=data["env"],
        hub_env=data.get("hub_env", {}),
        vendors=data.get("vendors", {}),
        api_key_env=data.get("api_key_env"),
        key_logged=data.get("key_logged"),
        user={vendor: User(**row) for vendor, row in data.get("user", {}).items()},
        cache=data["cache"],
        download=tuple(data.get("download", ())),
        probes=data["probes"],
        earlier_probes=_earlier(data.get("earlier_probes")),
        drain=Drain(**data["drain"]),
        startup=tuple({**row, "source": sources[row["source"]]} for row in data.get("startup", ())),
        calibration=tuple(data.get("calibration", ())),
        endpoints=tuple(Endpoint(row["path"], Match(row["match"])) for row in data["endpoints"]),
        api=_api(data),
        settings=settings,
        noted={name: Noted(**row) for name, row in data.get("noted", {}).items()},
        limits=tuple({**row, "source": sources[row["source"]]} for row in data["limits"]),
        lacking=data.get("lacking", {}),
        owned_flags=_owned_flags(data, settings, variables),
        owned_env=variables,
        engine_args=data["engine_args"]["as"],
        abbreviations=data["engine_args"]["abbreviations"],
        fields=data["engine_args"]["fields"],
        sizes=data["engine_args"].get("sizes", {}),
        variables=tuple(data.get("variables", ())),
        line=data["line"],
    )


def _earlier(row: Mapping[str, Any] | None) -> tuple[str, Mapping[str, str]] | None:
    return (row["before"], row["probes"]) if row else None


def _setting(name: str, row: Mapping[str, Any], sources: Mapping[str, str]) -> Setting:
    lists = {key: tuple(row[key]) for key in ("vendors", "aliases", "together") if key in row}
    return Setting(name=name, **{**row, **lists, "source": sources[row["source"]]})


def _api(data: Mapping[str, Any]) -> Api:
    stated = data.get("api", {})
    native = tuple(
        NativeRequest(row["name"], row["path"], row["body"], tuple(row["answer"]))
        for row in stated.get("native", ())
    )
    # An engine that has nothing but a note for the names answers to any.
    named = "served_names" not in data.get("noted", {})
    counted = stated.get("prefix_cache")
    cache = PrefixCache(counted["path"], counted["hits"], counted["queries"]) if counted else None
    return Api(named, stated.get("response_format"), native, cache)


def _owned_flags(
    data: Mapping[str, Any], settings: Mapping[str, Setting], variables: Mapping[str, str]
) -> Mapping[str, str]:
    owned = {flag: row.use for row in settings.values() for flag in row.spelled if flag}
    for row in data["owned"]:
        owned |= dict.fromkeys(row.get("flags", ()), _help(row))
    if data["engine_args"]["as"] == "environment":
        owned |= {"--" + name.lower().replace("_", "-"): help for name, help in variables.items()}
    return owned


def _owned_env(rows: list[Mapping[str, Any]], settings: Mapping[str, Setting]) -> Mapping[str, str]:
    owned = {name: row.use for row in settings.values() for name in (row.env, *row.also_env) if name}
    for row in rows:
        owned |= dict.fromkeys(row.get("env", ()), _help(row))
    return owned


def _help(row: Mapping[str, Any]) -> str:
    return f"use `{row['use']}`" if "use" in row else f"leave it out: {row['because']}"
