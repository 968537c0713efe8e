"""Values that an engine looks up after it has parsed its command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdeploy.catalog.flags import Flag
from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.diagnostics.suggest import did_you_mean
from llmdeploy.engines.arguments.parser import Parser
from llmdeploy.engines.arguments.values import text_of
from llmdeploy.engines.base import Settings

_REGISTRIES = {
    "--quantization": "quantization",
    "--kv-cache-dtype": "kv_cache_dtype",
    "--tool-call-parser": "tool_parser",
    "--reasoning-parser": "reasoning_parser",
    "--load-format": "load_format",
    "--attention-backend": "attention_backend",
}
_FOLDED = frozenset({"attention_backend", "load_format"})
"""Whose case does not matter: vllm/config/attention.py (validate_backend_before), config/load.py."""

_MORE = {"attention_backend": ("auto",), "reasoning_parser": ("none",)}
"""What is taken besides: the same file; vllm/engine/arg_utils.py (parse_reasoning_parser)."""

_PLUGINS = {"tool_parser": "--tool-parser-plugin", "reasoning_parser": "--reasoning-parser-plugin"}
"""Flags that name a file which adds to a registry."""


def check(
    value: Any, key: str, flag: Flag, path: Path, settings: Settings, parser: Parser
) -> Iterator[Diagnostic]:
    """Find a value that the release does not have. Plug-ins bring more: an image of one's own may hold some."""
    registry = _REGISTRIES.get(flag.name, "")
    known = (*parser.catalog.registry(registry, parser.release), *_MORE.get(registry, ()))
    text = text_of(value)
    folded = text.lower() in map(str.lower, known) if registry in _FOLDED else text in known
    if not registry or not known or folded or _added(registry, settings):
        return
    message = f"{parser.title} {parser.version} has no `{key}: {text}`"
    if settings.image is None:
        yield Diagnostic("LD319", message, path, did_you_mean(text, known))
    else:
        yield Diagnostic("LD321", f"{message} of its own; the image must bring it", path)


def _added(registry: str, settings: Settings) -> bool:
    keys = {key.lstrip("-").replace("_", "-") for key in settings.engine_args}
    return _PLUGINS.get(registry, "")[2:] in keys
