"""What stands in the config.json of a local model, against what the engine reads of it before any weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.checks.context import Context
from llmdeploy.checks.engines import Release, release_of
from llmdeploy.diagnostics import Diagnostic, Note, Path


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        config = context.facts.configs.get(model.source.path or "")
        if not config:
            continue
        path: Path = ("models", name, "source")
        wrong = list(_kinds(config, f"{model.source.path}/config.json", path))
        yield from wrong
        release = release_of(context, name)
        if not wrong and release is not None:
            yield from _quantization(context, name, release, config)


def _kinds(config: Mapping[str, Any], file: str, path: Path) -> Iterator[Diagnostic]:
    from llmdeploy.facts.kinds import misstated  # who has no local model does not pay for it

    for key, value, wanted in misstated(config):
        message = f"`{file}` has `{key}: {_json(value)}`, where engines read {wanted}"
        yield Diagnostic("LD352", message, path, _mended(value, wanted))


def _mended(value: Any, wanted: str) -> str:
    """Return what to write instead, where that can be told from what is written."""
    text = str(value).strip().lower()
    if wanted == "a whole number" and text.removesuffix(".0").isdecimal():
        return f"write `{text.removesuffix('.0')}` there"
    if wanted == "a number above 0" and text.replace(".", "", 1).isdecimal():
        return f"write `{text}` there"
    if wanted.startswith("`true`") and text in ("true", "false"):
        return f"write `{text}` there"
    if wanted.startswith("a list of two"):
        return "write a list there, like `[128, 128]`"
    return f"write {wanted} there, or take the file from the repository of the model"


def _quantization(
    context: Context, name: str, release: Release, config: Mapping[str, Any]
) -> Iterator[Diagnostic]:
    """Judge the mapping. What the engine makes of a method that the tables know is checks/quantization.py's to say."""
    from llmdeploy.catalog.quantization import formats
    from llmdeploy.catalog.quantization_configs import known_methods, wanted

    nested = config.get("text_config") or {}
    stated = config.get("quantization_config") or nested.get("quantization_config")
    if not stated:
        return
    path: Path = ("models", name, "source")
    method, facts = str(stated.get("quant_method") or "").lower(), context.model_facts(name)
    rules = wanted(release.engine, release.version, method)
    for complaint, help in rules.complaints(stated) if rules else ():
        message = f"the `quantization_config` of `{name}` {complaint}: {release.name} does not start with it"
        notes = (Note(f"source: {rules.source}"),) if rules else ()
        yield Diagnostic("LD352", message, path, help or "take another checkpoint of the model", notes)
    if method in {format.partition("/")[0] for format in formats()} or (
        not method and facts and facts.quantization in formats()
    ):
        return
    known = known_methods(release.engine, release.version)
    if method and known and method not in known.knows and context.spec.models[name].image is None:
        message = f"the checkpoint of `{name}` is quantized by `{method}`, which {release.name} does not know"
        help = (
            "take another checkpoint of the model, or name an `image` of your own that has a plug-in for it"
        )
        yield Diagnostic("LD352", message, path, help, (Note(f"source: {known.source}"),))
        return
    yield _unjudged(name, release, method, path)


def _unjudged(name: str, release: Release, method: str, path: Path) -> Diagnostic:
    what = f"is quantized by `{method}`" if method else "has a `quantization_config` without a `quant_method`"
    message = f"the checkpoint of `{name}` {what}: nothing is known here of how {release.name} runs it"
    help = (
        "try it on one GPU of the kind first"
        if method
        else "add `quant_method`, as the tool that quantized it calls itself"
    )
    return Diagnostic("LD527", message, path, help)


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "…"
