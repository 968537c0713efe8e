"""Values that an engine looks up after it has parsed its command line, where any text is taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdeploy.catalog.flags import Flag
from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.diagnostics.suggest import did_you_mean
from llmdeploy.engines.arguments.parser import Parser
from llmdeploy.engines.arguments.values import text_of
from llmdeploy.engines.base import Settings

# Their case does not matter: vllm/config/attention.py (validate_backend_before), vllm/config/load.py.
_REGISTRIES = {"--attention-backend": ("attention_backend", "auto"), "--load-format": ("load_format",)}
"""Flag -> its registry, and what is taken besides."""


def check(
    value: Any, key: str, flag: Flag, path: Path, settings: Settings, parser: Parser
) -> Iterator[Diagnostic]:
    """Find a value that the release does not have. Plug-ins bring more: an image of one's own may hold some."""
    registry, *more = _REGISTRIES.get(flag.name, ("",))
    registered = parser.catalog.registry(registry, parser.release)
    known, text = (*registered, *more), text_of(value)
    if not registered or text.lower() in map(str.lower, known):
        return
    message = f"{parser.title} {parser.version} has no `{key}: {text}`"
    if settings.image is None:
        yield Diagnostic("LD319", message, path, did_you_mean(text, known))
    else:
        yield Diagnostic("LD321", f"{message} of its own; the image must bring it", path)
