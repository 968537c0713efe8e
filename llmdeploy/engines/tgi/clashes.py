"""Settings and variables of TGI that its launcher, router or server refuses together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.engines.base import Settings
from llmdeploy.engines.tgi.prefill import in_one_step

# server/text_generation_server/models/globals.py
_ATTENTION = ("flashinfer", "flashdecoding", "flashdecoding-ipex", "paged")


class Stated(NamedTuple):
    """A variable that `env` or `engine_args` sets, and where."""

    text: str
    path: Path


def stated(settings: Settings) -> Mapping[str, Stated]:
    """Return the variables that llm.yaml sets itself, past the neutral settings."""
    if not settings.engine_args and not settings.env:
        return {}
    from llmdeploy.engines.arguments.values import text_of  # who states none does not pay for it

    found: dict[str, Stated] = {}
    for where, entries in (("engine_args", settings.engine_args), ("env", settings.env)):
        for key, value in entries.items():
            if value in (None, []):
                continue  # which is said of the entry itself
            name = key if where == "env" else key.lstrip("-").replace("-", "_").upper()
            found[name] = Stated(text_of(value), (*settings.origin, where, key))
    return found


def whole_prefill(settings: Settings) -> str | None:
    """Return when a prompt must be read in one step, as the end of a sentence; None where it is read in chunks."""
    chunking = stated(settings).get("PREFILL_CHUNKING")
    return in_one_step(
        settings.vendor,
        "speculative" in settings.values,
        chunking.text if chunking else None,
        _attention(settings),
    )


def clashes(settings: Settings) -> Iterator[Diagnostic]:
    yield from _step(settings)
    yield from _total(settings)
    yield from _attentions(settings)
    if (workers := stated(settings).get("VALIDATION_WORKERS")) and workers.text == "0":
        yield Diagnostic("LD319", "`VALIDATION_WORKERS` takes no `0`", workers.path, "write 1 or more")


def _attention(settings: Settings) -> str | None:
    found = stated(settings).get("ATTENTION")
    return found.text if found else None


def _step(settings: Settings) -> Iterator[Diagnostic]:
    """A prompt that is read in one step must fit it (backends/v3/src/main.rs)."""
    step, context = settings.values.get("batch_tokens"), settings.values.get("context")
    when = whole_prefill(settings)
    if step is not None and context is not None and when and step < context - 1:
        message = f"`batch_tokens: {step}` cannot hold a prompt of `context: {context}`"
        note = Note(
            f"Text Generation Inference {when} reads a prompt in one step", settings.origin_of("context")
        )
        help = f"set `batch_tokens` to {context - 1} or more, or a smaller `context`"
        yield Diagnostic("LD309", message, settings.origin_of("batch_tokens"), help, (note,))


def _total(settings: Settings) -> Iterator[Diagnostic]:
    """All tokens of a batch hold at least one request, and one step (backends/v3/src/main.rs)."""
    total = stated(settings).get("MAX_BATCH_TOTAL_TOKENS")
    if total is None or not total.text.isdecimal():
        return
    for name in ("context", "batch_tokens"):
        least = settings.values.get(name, 0)
        if int(total.text) < least:
            message = f"`MAX_BATCH_TOTAL_TOKENS: {total.text}` is less than `{name}: {least}`"
            note = Note(f"`{name}` is set here", settings.origin_of(name))
            help = f"set it to {least} or more, or leave it out: TGI takes what fits the memory"
            yield Diagnostic("LD309", message, total.path, help, (note,))
            return


def _attentions(settings: Settings) -> Iterator[Diagnostic]:
    found = stated(settings).get("ATTENTION")
    if found is None:
        return
    if found.text not in _ATTENTION:
        help = "write " + ", ".join(f"`{each}`" for each in _ATTENTION)
        yield Diagnostic("LD319", f"`ATTENTION` takes no `{found.text}`", found.path, help)
    elif found.text == "flashdecoding" and "kv_dtype" in settings.values:
        # server/text_generation_server/layers/attention/kv_cache.py
        message = f"`ATTENTION: flashdecoding` has no KV cache of `{settings.values['kv_dtype']}`"
        note = Note("`kv_cache.dtype` is set here", settings.origin_of("kv_dtype"))
        yield Diagnostic("LD309", message, found.path, "write `flashinfer`, or leave one out", (note,))
