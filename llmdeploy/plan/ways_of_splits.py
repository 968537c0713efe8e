"""More GPUs, or another split of the same, as ways out: by tensors first, by layers where tensors do not divide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from llmdeploy.plan.trial import Changes, Trial, room

_LARGEST_NODE = 8
"""GPUs that a node commonly has, where the pool has fewer."""

Sizes = tuple[int, int, int]
"""tensor, pipeline, data."""


class Found(Struct, frozen=True):
    count: int
    text: str


def same_gpus(trial: Trial) -> Iterator[str]:
    """Shard over more of the GPUs that it has: neither copies nor stages hold as much of a request on each."""
    now, count = trial.model.parallel, trial.model.gpus.count
    first = [
        (count // (pipeline * data), pipeline, data)
        for pipeline, data in ((1, 1), (1, now.data), (now.pipeline, 1))
        if count % (pipeline * data) == 0
    ]
    for sizes in dict.fromkeys([*first, *_stages(count, 1), *_stages(count, now.data)]):
        if sizes[1:] != (now.pipeline, now.data) and trial.fits(_parallel(trial, sizes)):
            yield f"{_written(trial, sizes)} on the same GPUs"
            return


def more_gpus(trial: Trial) -> Iterator[str]:
    """The fewest GPUs that do; in stages, where tensors would take more than there are; in FP8, where they take many."""
    most = max(trial.free, _LARGEST_NODE)
    plain = _fewest(trial, {}, most, stages=False)
    if plain is not None:
        yield plain.text
    if plain is None or plain.count > trial.free:
        staged = _fewest(trial, {}, most if plain is None else trial.free, stages=True)
        if staged is not None:
            yield staged.text
    if trial.model.quantization in (None, "none") and (
        plain is None or plain.count > 2 * trial.model.gpus.count
    ):
        both = _fewest(
            trial, {"quantization": "fp8"}, most if plain is None else plain.count - 1, stages=False
        )
        if both is not None:
            yield f"{both.text} with `quantization: fp8`"


def _fewest(trial: Trial, also: Changes, most: int, *, stages: bool) -> Found | None:
    """Return the fewest GPUs that do, and how to write it. `stages`: in more pipeline stages than now."""
    now, model = trial.model.parallel, trial.model
    for count in range(model.gpus.count + 1, most + 1):
        gpus = {"gpus": model.gpus.model_copy(update={"count": count}), **also}
        tensor, rest = divmod(count, now.pipeline * now.data)
        if stages:
            splits = [each for each in _stages(count, now.data) if each[1] > now.pipeline]
        else:
            splits = [] if rest else [(tensor, now.pipeline, now.data)]
        for sizes in splits:
            ledger = trial.fits({**gpus, **_parallel(trial, sizes)}, cards=max(trial.free, count))
            if ledger is not None:
                also_said = f" and {_written(trial, sizes)}" if stages else _tensor(trial, tensor)
                more = f" where pool `{trial.pool.name}` has {count} of them free"
                more = more if count > trial.free else ""
                return Found(count, f"`gpus.count: {count}`{also_said}{more}{room(ledger)}")
    return None


def _stages(count: int, data: int) -> Iterator[Sizes]:
    """Yield the splits into stages, the fewest first."""
    if count % data == 0:
        each = count // data
        yield from ((each // stages, stages, data) for stages in range(2, each + 1) if each % stages == 0)


def _parallel(trial: Trial, sizes: Sizes) -> dict[str, Any]:
    now = trial.model.parallel
    tensor, pipeline, data = sizes
    if now.tensor is None and (pipeline, data) == (now.pipeline, now.data):
        return {}
    return {"parallel": now.model_copy(update={"tensor": tensor, "pipeline": pipeline, "data": data})}


def _tensor(trial: Trial, tensor: int) -> str:
    return f" and `parallel.tensor: {tensor}`" if trial.model.parallel.tensor is not None else ""


def _written(trial: Trial, sizes: Sizes) -> str:
    named = zip(("tensor", "pipeline", "data"), sizes, strict=True)
    said = [f"{size}: {many}" for size, many in named if size == "tensor" or many > 1]
    expert = ["expert: true"] if trial.model.parallel.expert else []
    return f"`parallel: {{{', '.join([*said, *expert])}}}`"
