"""What `engine_args` and `env` make of vLLM's equation. Which of them it knows is data: options.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.memory.model import Question
from llmdeploy.memory.options import Said, plain
from llmdeploy.memory.overrides import overridden

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
    overrides = _value(said, "hf-overrides")
    changed = replace(
        question,
        model=overridden(question.model, overrides),
        eager=question.eager or _eager(said),
        block_size=_number(said, "block-size") or question.block_size,
        split=replace(
            question.split,
            decode_context=_number(said, "decode-context-parallel-size") or question.split.decode_context,
        ),
        items={} if _value(said, "language-model-only") is True else question.items,
        adapters=_adapters(question, said),
    )
    performance = plain(_value(said, "performance-mode"))
    own = Own(
        graphs=_graphs(said, performance),
        blocks=_number(said, "num-gpu-blocks-override"),
        offloaded_gib=_real(said, "cpu-offload-gb"),
        times=2 if performance == "throughput" else 1,
        chunked=_value(said, "enable-chunked-prefill") is not False,
        overlapping=_value(said, "async-scheduling"),
        whole_tower=plain(_value(said, "mm-encoder-tp-mode")) == "data",
        profiled_items=_value(said, "skip-mm-profiling") is not True,
        hybrid=_value(said, "disable-hybrid-kv-cache-manager") is not True,
        ssm_dtype=_word(_value(said, "mamba-ssm-cache-dtype")),
        moe_backend=_word(_value(said, "moe-backend") or _of(said, "kernel-config").get("moe_backend")),
        notes=_notes(overrides),
    )
    return changed, own


def _notes(overrides: Any) -> tuple[str, ...]:
    if not isinstance(overrides, Mapping) or not overrides:
        return ()
    return (f"config.json is taken as `hf-overrides` changes it: {', '.join(map(str, overrides))}",)


def _eager(said: Said) -> bool:
    """Source: vLLM 0.33, config/vllm.py: a mode that is stated comes before that of a level."""
    if _value(said, "enforce-eager") is True:
        return True
    mode = _of(said, "compilation-config").get("cudagraph_mode")
    if mode is not None:
        return plain(mode) == "none"
    return plain(_value(said, "optimization-level")) in _NO_LEVEL


def _graphs(said: Said, performance: str) -> Graphs:
    stated = _of(said, "compilation-config")
    mode, level = stated.get("cudagraph_mode"), plain(_value(said, "optimization-level"))
    both = plain(mode) in _BOTH if mode is not None else level not in _FIRST_LEVEL
    sizes = _sizes(_value(said, "cudagraph-capture-sizes")) or _sizes(stated.get("cudagraph_capture_sizes"))
    estimated = _value(said, "VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS")
    largest = _number(said, "max-cudagraph-capture-size")
    if largest is None:
        largest = _whole(stated.get("max_cudagraph_capture_size"))
    return Graphs(
        sizes=sizes,
        largest=largest,
        kinds=2 if both else 1,
        fine=performance == "interactivity",
        charged=None if estimated is None else plain(estimated) not in _OFF,
    )


def _of(said: Said, flag: str) -> Mapping[str, Any]:
    """Return the fields of a flag's JSON."""
    stated = _value(said, flag)
    return stated if isinstance(stated, Mapping) else {}


def _word(value: Any) -> str | None:
    return None if value is None or plain(value) == "auto" else plain(value)


def _adapters(question: Question, said: Said) -> Any:
    slots = _number(said, "max-loras")
    if question.adapters is None or slots is None:
        return question.adapters
    return replace(question.adapters, slots=slots)


def _sizes(value: Any) -> tuple[int, ...] | None:
    each = value if isinstance(value, (list, tuple)) else [value]
    found = tuple(size for one in each if (size := _whole(one)) is not None)
    return found or None


def _value(said: Said, name: str) -> Any:
    stated = said.get(name)
    return None if stated is None else stated.value


def _number(said: Said, name: str) -> int | None:
    return _whole(_value(said, name))


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _real(said: Said, name: str) -> float:
    value = _value(said, name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
