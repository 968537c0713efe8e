"""Pages of SGLang's pool: a step is some of them, and no part of one.

Source: SGLang 0.5.23, srt/arg_groups/validation_hook.py, check_server_args, which asserts it of chunked_prefill_size.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.engines.base import Settings, argument

_LONGEST = 16384
"""The longest step that SGLang takes by itself; the others divide it (srt/arg_groups/memory_hook.py)."""


def fits(page: int, step: int | None) -> bool:
    """Tell whether a step is whole pages."""
    return (step or _LONGEST) % page == 0


def clashes(settings: Settings) -> Iterator[Diagnostic]:
    """Find a page that SGLang refuses. What is no size at all is said of the flag."""
    step = settings.values.get("batch_tokens")
    for key, value in settings.engine_args.items():
        if (
            argument(key) == "page-size"
            and str(value).isdecimal()
            and (page := int(value))
            and not fits(page, step)
        ):
            steps = "the steps that it takes by itself" if step is None else f"steps of {step} tokens"
            message = f"SGLang divides {steps} into pages, and not into pages of {page}"
            path = (*settings.origin, "engine_args", key)
            yield Diagnostic("LD309", message, path, f"write `{key}: {_below(page, step)}`")


def _below(page: int, step: int | None) -> int:
    """Return the largest power of two, up to a page, that divides a step."""
    size = 1
    while 2 * size <= page and fits(2 * size, step):
        size *= 2
    return size
