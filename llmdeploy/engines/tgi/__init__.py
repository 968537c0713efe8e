"""Text Generation Inference: a table of variables, and the lengths that must agree with each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from msgspec.structs import replace

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.engines.base import Adapter, Lowered, Settings, Speculation
from llmdeploy.engines.flags import Speller, Words
from llmdeploy.engines.lowering import TableEngine
from llmdeploy.engines.tgi.clashes import clashes, whole_prefill
from llmdeploy.plan.model import Why


def _adapters(adapters: tuple[Adapter, ...], settings: Settings, words: Words) -> None:
    words.env["LORA_ADAPTERS"] = ",".join(f"{adapter.name}={adapter.path}" for adapter in adapters)


def _speculative(wanted: Speculation, settings: Settings, words: Words) -> None:
    if wanted.method != "ngram":
        message = f"Text Generation Inference has no `method: {wanted.method}`"
        help = "write `method: ngram`"
        if wanted.method == "medusa":
            help += ": it takes Medusa heads only where `source` itself has them, without `speculative`"
        words.diagnostics.append(Diagnostic("LD309", message, settings.origin_of("speculative"), help))
        return
    words.env["SPECULATE"] = str(wanted.tokens)


class Tgi(TableEngine, frozen=True):
    own: ClassVar[Mapping[str, Speller]] = {"adapters": _adapters, "speculative": _speculative}

    def lower(self, settings: Settings) -> Lowered:
        lowered = super().lower(settings)
        lengths, why = _lengths(settings)
        return replace(
            lowered,
            launch=replace(lowered.launch, env={**lowered.launch.env, **lengths}),
            why=(*lowered.why, *why),
            diagnostics=(*lowered.diagnostics, *clashes(settings)),
        )


def _lengths(settings: Settings) -> tuple[dict[str, str], list[Why]]:
    """Bound the prompt, which must be shorter than prompt and answer together.

    Where prefill is not chunked the prompt must fit one step as well (backends/v3/src/main.rs), and TGI's
    own choice of that step knows nothing of `context`.
    """
    if "context" not in settings.values:
        return {}, []
    prompt = str(settings.values["context"] - 1)
    env = {"MAX_INPUT_TOKENS": prompt}
    why = [Why("MAX_INPUT_TOKENS", prompt, "one token less than `context`: TGI wants room for an answer")]
    if (when := whole_prefill(settings)) and "batch_tokens" not in settings.values:
        env["MAX_BATCH_PREFILL_TOKENS"] = prompt
        why.append(Why("batch_tokens", prompt, f"TGI {when} reads a prompt in one step"))
    return env, why


ENGINE = Tgi.of(__name__)
