"""What `engine_args` and `env` make of SGLang's equation. Which of them it knows is data: options.yaml."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.engines.sglang.pages import fits
from llmdeploy.memory.model import Question
from llmdeploy.memory.options import Said, wholes
from llmdeploy.memory.overrides import note, overridden, stated

# Older releases have one name for decoding and prefill.
_LARGEST = ("cuda-graph-max-bs-decode", "cuda-graph-max-bs")
_SIZES = ("cuda-graph-bs-decode", "cuda-graph-bs")


class Own(Struct, frozen=True):
    """What no field of a question says."""

    graph_batch: int | None = None
    """The largest batch whose graph is captured; None: SGLang's own."""
    prefill_graphs: bool = True
    most_tokens: int | None = None
    """Of the pool, where memory would hold more (--max-total-tokens)."""
    page: int = 1
    """Tokens that are handed out together."""
    window_ratio: float | None = None
    """Of all tokens, those that layers with a window keep."""
    whole_windows: bool = False
    """Layers with a window keep all tokens."""
    state_ratio: float | None = None
    ssm_dtype: str | None = None
    whole_tower: bool = False
    stated_share: bool = False
    """mem_fraction_static is among `engine_args`."""
    notes: tuple[str, ...] = ()


PLAIN = Own()


def applied(question: Question, said: Said) -> tuple[Question, Own]:
    """Return the question with what `engine_args` say in its own words, and the rest."""
    changes = stated(question.options)
    changed = replace(
        question,
        model=overridden(question.model, changes),
        eager=question.eager or said.on("disable-cuda-graph"),
    )
    own = Own(
        graph_batch=_graph_batch(said),
        prefill_graphs=not (said.on("disable-prefill-cuda-graph") or said.on("disable-piecewise-cuda-graph")),
        most_tokens=said.whole("max-total-tokens") or question.kv_tokens,
        page=_page(said, question.batch_tokens) or question.block_size or 1,
        window_ratio=said.real("swa-full-tokens-ratio"),
        whole_windows=said.on("disable-hybrid-swa-memory"),
        state_ratio=said.real("mamba-full-memory-ratio"),
        ssm_dtype=said.word("mamba-ssm-dtype"),
        whole_tower=said.on("mm-enable-dp-encoder"),
        stated_share=said.value("mem-fraction-static") is not None,
        notes=note(changes),
    )
    return changed, own


def _page(said: Said, step: int | None) -> int | None:
    """Return what is stated, unless SGLang refuses it, as is said where it stands."""
    page = said.whole("page-size")
    return page if page and fits(page, step) else None


def _graph_batch(said: Said) -> int | None:
    """Source: SGLang 0.5.23, srt/arg_groups/memory_hook.py: a list comes before its largest."""
    if said.on("disable-decode-cuda-graph"):
        return 0
    for name in _SIZES:
        if (sizes := wholes(said.value(name))) is not None:
            return max(sizes)
    return next((largest for name in _LARGEST if (largest := said.whole(name)) is not None), None)
