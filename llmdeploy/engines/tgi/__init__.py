"""Text Generation Inference: a table of variables, and the lengths that must agree with each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llmdeploy.diagnostics import Diagnostic, Note
from llmdeploy.engines.base import Lowered, Settings
from llmdeploy.engines.lowering import TableEngine, lower
from llmdeploy.plan.model import Why


class Tgi(TableEngine):
    def lower(self, settings: Settings) -> Lowered:
        lowered = lower(settings, self.table)
        lengths, why = _lengths(settings)
        return replace(
            lowered,
            launch=replace(lowered.launch, env={**lowered.launch.env, **lengths}),
            why=(*lowered.why, *why),
            diagnostics=(*lowered.diagnostics, *_clashes(settings)),
        )


def _lengths(settings: Settings) -> tuple[dict[str, str], list[Why]]:
    """Bound the prompt, which must be shorter than prompt and answer together.

    Where prefill is not chunked the prompt must fit one step as well (backends/v3/src/main.rs), and TGI's
    own choice of that step knows nothing of `context`. Only the image for AMD has chunking off.
    """
    if "context" not in settings.values:
        return {}, []
    prompt = str(settings.values["context"] - 1)
    env = {"MAX_INPUT_TOKENS": prompt}
    why = [Why("MAX_INPUT_TOKENS", prompt, "one token less than `context`: TGI wants room for an answer")]
    if _whole_prefill(settings) and "batch_tokens" not in settings.values:
        env["MAX_BATCH_PREFILL_TOKENS"] = prompt
        why.append(Why("batch_tokens", prompt, "TGI on AMD reads a prompt in one step"))
    return env, why


def _whole_prefill(settings: Settings) -> bool:
    return settings.vendor == "amd"


def _clashes(settings: Settings) -> Iterator[Diagnostic]:
    values = settings.values
    step, context = values.get("batch_tokens"), values.get("context")
    if step is not None and context is not None and _whole_prefill(settings) and step < context - 1:
        message = f"`batch_tokens: {step}` cannot hold a prompt of `context: {context}`"
        note = Note(
            "Text Generation Inference on AMD reads a prompt in one step", settings.origin_of("context")
        )
        help = f"set `batch_tokens` to {context - 1} or more, or a smaller `context`"
        yield Diagnostic("LD309", message, settings.origin_of("batch_tokens"), help, (note,))


ENGINE = Tgi.of(__name__)
