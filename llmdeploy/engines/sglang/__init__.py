"""SGLang: a table, and a way to hand it its API key."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import ClassVar

from msgspec.structs import replace

from llmdeploy.diagnostics import Diagnostic, Note
from llmdeploy.engines.base import Adapter, Lowered, Settings, Speculation, argument
from llmdeploy.engines.flags import Speller, Words
from llmdeploy.engines.lowering import TableEngine

WITH_KEY = (files(__name__) / "with_key.py").read_text(encoding="utf-8")
KEY_FILE = "/tmp/llmdeploy-engine.yaml"

_ALGORITHMS = {"ngram": "NGRAM", "draft": "STANDALONE", "eagle": "EAGLE", "eagle3": "EAGLE3", "mtp": "NEXTN"}

_MOST = "max-total-tokens"

# sglang/srt/arg_groups/validation_hook.py (check_pipeline_parallel_compat); NEXTN is resolved to EAGLE before it.
_OVER_STAGES = ("EAGLE", "NEXTN")


def _adapters(adapters: tuple[Adapter, ...], settings: Settings, words: Words) -> None:
    paths = (f"{adapter.name}={adapter.path}" for adapter in adapters)
    rank = max(adapter.rank for adapter in adapters)
    words.args += ["--enable-lora", "--lora-paths", *paths, "--max-lora-rank", str(rank)]


def _kv_tokens(most: int, settings: Settings, words: Words) -> None:
    """Bound the pool, so that it is no larger where neighbours have yet to start (mem_cache/kv_cache_configurator.py,
    _apply_token_constraints)."""
    if _MOST not in map(argument, settings.engine_args):
        words.args += [f"--{_MOST}", str(most)]


def _speculative(wanted: Speculation, settings: Settings, words: Words) -> None:
    """Draft one chain of tokens, as other engines do, and no tree; the token before it counts as drafted, too."""
    algorithm = _ALGORITHMS.get(wanted.method)
    if algorithm is None:
        message = f"SGLang has no `method: {wanted.method}`"
        help = "it has " + ", ".join(f"`{method}`" for method in _ALGORITHMS)
        words.diagnostics.append(Diagnostic("LD309", message, settings.origin_of("speculative"), help))
        return
    if settings.values.get("pipeline", 1) > 1 and algorithm not in _OVER_STAGES:
        message = f"SGLang does not draft by `{wanted.method}` where layers are split over stages"
        help = "take `parallel.tensor` instead of `parallel.pipeline`, or `method: eagle` or `mtp`"
        note = Note("the stages are these", settings.origin_of("pipeline"))
        path = settings.origin_of("speculative")
        words.diagnostics.append(Diagnostic("LD309", message, path, help, (note,)))
        return
    words.args += ["--speculative-algorithm", algorithm]
    if wanted.model is not None:
        words.args += ["--speculative-draft-model-path", wanted.model]
    if wanted.method == "ngram":
        words.args += ["--speculative-ngram-max-bfs-breadth", "1"]
    else:
        words.args += ["--speculative-num-steps", str(wanted.tokens), "--speculative-eagle-topk", "1"]
    words.args += ["--speculative-num-draft-tokens", str(wanted.tokens + 1)]


class Sglang(TableEngine, frozen=True):
    own: ClassVar[Mapping[str, Speller]] = {
        "adapters": _adapters,
        "kv_tokens": _kv_tokens,
        "speculative": _speculative,
    }

    def lower(self, settings: Settings) -> Lowered:
        lowered = super().lower(settings)
        if settings.engine_args:
            from llmdeploy.engines.sglang.pages import clashes  # who states none does not pay for it

            lowered = replace(lowered, diagnostics=(*lowered.diagnostics, *clashes(settings)))
        # "chat:sql" is the model and its adapter; "sql" alone would be the model, without a word.
        base = settings.values.get("served_names", (settings.model,))[0]
        names = {name: f"{base}:{name}" for name in lowered.adapter_names}
        lowered = replace(lowered, adapter_names=names)
        launch = lowered.launch
        if settings.api_key is None:
            return lowered
        launch = replace(
            launch,
            entrypoint=("python3", "-c", WITH_KEY, KEY_FILE, *launch.entrypoint),
            args=(*launch.args, "--config", KEY_FILE),
        )
        return replace(lowered, launch=launch)


ENGINE = Sglang.of(__name__)
