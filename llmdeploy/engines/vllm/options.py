"""What `engine_args` and `env` make of vLLM's equation. Which of them it knows is data: options.yaml."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.memory.model import Question
from llmdeploy.memory.options import Said, plain, whole, wholes, word
from llmdeploy.memory.overrides import note, overridden, stated

_OFF = ("0", "false")
_NO_LEVEL = ("0", "o0")
_FIRST_LEVEL = ("1", "o1")
_BOTH = ("full_and_piecewise",)


class Graphs(Struct, frozen=True):
    """Which graphs are captured: `sizes` as they are listed, or those up to `largest`; None: vLLM's own.

    `kinds`: for decoding and for mixed batches, or one of them. `fine`: every size up to 32 (`performance-mode: interactivity`).
    """

    sizes: tuple[int, ...] | None = None
    largest: int | None = None
    kinds: int = 2
    full: bool = True
    """Whether batches that only decode have a graph of the whole model."""
    fine: bool = False
    charged: bool | None = None
    """Whether the cache gives way to them; None: as the release does."""


class Own(Struct, frozen=True):
    """What no field of a question says."""

    graphs: Graphs = Graphs()
    blocks: int | None = None
    """Of the pool, whatever memory is left (--num-gpu-blocks-override)."""
    offloaded_gib: float = 0.0
    """Weights of each GPU that are kept in the host's memory (--cpu-offload-gb)."""
    times: int = 1
    """Of the sequences and tokens that vLLM takes by itself."""
    chunked: bool = True
    overlapping: bool | None = None
    """A second batch is scheduled while one runs; None: as the release does."""
    whole_tower: bool = False
    profiled_items: bool = True
    """The vision tower runs while memory is measured."""
    hybrid: bool = True
    """Layers with a window give back what falls out of it."""
    ssm_dtype: str | None = None
    moe_backend: str | None = None
    notes: tuple[str, ...] = ()


PLAIN = Own()


def applied(question: Question, said: Said) -> tuple[Question, Own]:
    """Return the question with what `engine_args` say in its own words, and the rest."""
    changes = stated(question.options)
    changed = replace(
        question,
        model=overridden(question.model, changes),
        eager=question.eager or _eager(said),
        block_size=said.whole("block-size") or question.block_size,
        split=replace(
            question.split,
            decode_context=_copies(said, question) or question.split.decode_context,
        ),
        items={} if said.on("language-model-only") else question.items,
        adapters=_adapters(question, said),
    )
    performance = plain(said.value("performance-mode"))
    own = Own(
        graphs=_graphs(said, performance),
        blocks=said.whole("num-gpu-blocks-override"),
        offloaded_gib=said.real("cpu-offload-gb") or 0.0,
        times=2 if performance == "throughput" else 1,
        chunked=said.switch("enable-chunked-prefill") is not False,
        overlapping=said.switch("async-scheduling"),
        whole_tower=plain(said.value("mm-encoder-tp-mode")) == "data",
        profiled_items=not said.on("skip-mm-profiling"),
        hybrid=not said.on("disable-hybrid-kv-cache-manager"),
        ssm_dtype=said.word("mamba-ssm-cache-dtype"),
        moe_backend=said.word("moe-backend") or word(said.fields("kernel-config").get("moe_backend")),
        notes=note(changes),
    )
    return changed, own


def _copies(said: Said, question: Question) -> int | None:
    """Return over how many ranks the cache is spread, unless vLLM refuses it, as is said where it stands."""
    size = said.whole("decode-context-parallel-size")
    return size if size and question.split.tensor % size == 0 else None


def _eager(said: Said) -> bool:
    """Source: vLLM 0.33, config/vllm.py: a mode that is stated comes before that of a level."""
    if said.on("enforce-eager"):
        return True
    mode = said.fields("compilation-config").get("cudagraph_mode")
    if mode is not None:
        return plain(mode) == "none"
    return plain(said.value("optimization-level")) in _NO_LEVEL


def _graphs(said: Said, performance: str) -> Graphs:
    own = said.fields("compilation-config")
    mode, level = own.get("cudagraph_mode"), plain(said.value("optimization-level"))
    both = plain(mode) in _BOTH if mode is not None else level not in _FIRST_LEVEL
    sizes = wholes(said.value("cudagraph-capture-sizes")) or wholes(own.get("cudagraph_capture_sizes"))
    estimated = said.value("VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS")
    largest = said.whole("max-cudagraph-capture-size")
    if largest is None:
        largest = whole(own.get("max_cudagraph_capture_size"))
    return Graphs(
        sizes=sizes,
        largest=largest,
        kinds=2 if both else 1,
        full=plain(mode) != "piecewise" if mode is not None else both,
        fine=performance == "interactivity",
        charged=None if estimated is None else plain(estimated) not in _OFF,
    )


def _adapters(question: Question, said: Said) -> Any:
    slots = said.whole("max-loras")
    if question.adapters is None or slots is None:
        return question.adapters
    return replace(question.adapters, slots=slots)
