"""What would make a model fit: each way is tried, by checking and sizing the model as if llm.yaml said so."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.plan.fit import STATES
from llmdeploy.plan.settings import settings_of
from llmdeploy.plan.sizing import equation, longest, question
from llmdeploy.plan.trial import WORTH_SAYING, Changes, Trial, room
from llmdeploy.plan.values import CPU_FRACTION
from llmdeploy.plan.ways_back import another_pool, left_out
from llmdeploy.plan.ways_beside import larger_share, less_on_a_node, more_of_a_node, whole_cards
from llmdeploy.plan.ways_of_cards import larger_cards
from llmdeploy.plan.ways_of_splits import more_gpus, same_gpus

_FRACTIONS = (0.92, 0.9, 0.85, 0.8)
_LARGEST_FRACTION = 0.95
"""Most of the recorded starts of vLLM state 0.95, three state more; what lies above it is the driver's and NCCL's."""
_STEP = 0.05
"""Of a node's memory."""
_QUANTIZATIONS = ("fp8", "int8", "nvfp4", "mxfp4", "int4", "bitsandbytes")
_BATCH_TOKENS = 2048
"""Tokens of a step: what vLLM takes on small cards."""
_BEYOND = " where pool `"
"""What a way out says that takes more cards than the pool has free."""
_SEQUENCES = (512, 256, 128, 64, 32, 16, 8, 4, 2, 1)


def ways_out(context: Context, name: str) -> list[str]:
    """Return what to write instead, each by itself enough: it compiles without error or new warning, and fits."""
    trial = Trial(context, name)
    back = [*another_pool(trial), *left_out(trial)]
    usual = list(_fraction(trial))
    shorter, rest = list(_shorter(trial)), list(_as_long(trial, usual))
    if trial.pool.is_cpu:
        node = () if back or shorter or rest else less_on_a_node(trial)
        return [*back, *shorter, *rest, *node, *more_of_a_node(trial)]
    if trial.model.gpus.share is not None:
        rest += whole_cards(trial)
    else:
        rest += [*same_gpus(trial), *more_gpus(trial), *(() if usual else _most_of_the_card(trial))]
    if not back and all(_BEYOND in way for way in rest):
        rest += larger_cards(trial, more=not rest)
    return [*back, *shorter, *rest]


def _as_long(trial: Trial, usual: list[str]) -> Iterator[str]:
    """Yield what makes room on the card for the same context."""
    yield from _unstated(trial)
    fewer = list(_fewer(trial))
    yield from fewer
    yield from _smaller_steps(trial, also=not fewer)
    yield from usual
    if trial.model.gpus.share is not None:
        yield from larger_share(trial)
    yield from _quantized(trial)
    yield from _smaller_cache(trial)
    yield from _fewer_items(trial)


def _shorter(trial: Trial) -> Iterator[str]:
    context, name = trial.context, trial.name
    asked = question(context, name, dict(settings_of(context, name, {})[0].values), trial.pool)
    if asked is None:
        return
    length = longest(asked, equation(context, name))
    if length and length >= WORTH_SAYING and trial.fits({"context": length}):
        yield f"set `context: {length}`"


def _unstated(trial: Trial) -> Iterator[str]:
    """Where states bound how many run at once, the engine is asked for as many as start."""
    now = settings_of(trial.context, trial.name, {})[2]
    if (
        now is not None
        and (now.reason or "").startswith(STATES)
        and (ledger := trial.fits({"concurrency": None}))
    ):
        yield f"leave `concurrency` out ({ledger.concurrency} are then taken)"


def _fewer(trial: Trial) -> Iterator[str]:
    """A sampler's peak grows with the requests that run at once."""
    if (many := _sequences(trial, {})) is not None:
        yield f"`concurrency: {many}`"


def _smaller_steps(trial: Trial, *, also: bool) -> Iterator[str]:
    """The peak of activations grows with the tokens of a step. `also`: with fewer requests, which alone do not do."""
    steps = {"batch_tokens": _BATCH_TOKENS}
    if trial.fits(steps):
        yield f"`batch_tokens: {_BATCH_TOKENS}`"
    elif also and (many := _sequences(trial, steps)) is not None:
        yield f"`batch_tokens: {_BATCH_TOKENS}` with `concurrency: {many}`"


def _sequences(trial: Trial, also: Changes) -> int | None:
    """Return the most requests at once with which it fits, all of full length."""
    now = trial.model.concurrency
    for many in _SEQUENCES:
        ledger = trial.fits({**also, "concurrency": many}) if now is None or many < now else None
        if ledger is not None:
            held = int(ledger.requests_at_context or 0)
            return next(each for each in (held, many) if each == many or _more(trial, also, many, each))
    return None


def _more(trial: Trial, also: Changes, many: int, held: int) -> bool:
    """Tell whether as many as are held fit, too: all of them cost more than a few do."""
    now = trial.model.concurrency
    return many < held < min(now or 2 * many, 2 * many) and bool(trial.fits({**also, "concurrency": held}))


def _fraction(trial: Trial) -> Iterator[str]:
    """SGLang's own share of a small card is cautious; vLLM's may be more than is free when it starts."""
    now = trial.model.memory_fraction
    if trial.model.gpus.share is not None:
        return
    values: tuple[float, ...] = _FRACTIONS
    if trial.pool.is_cpu:  # more for the KV cache, or more for the weights
        steps = (round(step * _STEP, 2) for step in range(1, 20))
        values = tuple(sorted(steps, key=lambda each: abs(each - (now or CPU_FRACTION))))
    for fraction in values:
        if fraction != now and trial.fits({"memory_fraction": fraction}):
            yield f"`memory_fraction: {fraction}`"
            return


def _most_of_the_card(trial: Trial) -> Iterator[str]:
    """The last thing to try: what the estimate is off by, and any other process of the card, have what is left."""
    if (trial.model.memory_fraction or 0.0) < _LARGEST_FRACTION and trial.fits(
        {"memory_fraction": _LARGEST_FRACTION}
    ):
        card = "slice" if trial.pool.sliced else "card"
        yield f"`memory_fraction: {_LARGEST_FRACTION}` where nothing else runs on the {card}"


def _fewer_items(trial: Trial) -> Iterator[str]:
    """A vision tower is measured over the largest item that a prompt may have, and not loaded where it may have none."""
    now = trial.items
    if now is None:
        return
    for none in ({"video": 0}, {"image": 0, "video": 0}):
        then = now.model_copy(update=none)
        if then != now and trial.fits({"multimodal": then}):
            stated = ", ".join(f"{kind}: {many}" for kind, many in then.model_dump(exclude_none=True).items())
            yield f"`multimodal: {{{stated}}}` where prompts have no {' and no '.join(none)}"
            return


def _quantized(trial: Trial) -> Iterator[str]:
    if trial.model.quantization in (None, "none"):
        for word in _QUANTIZATIONS:
            if (ledger := trial.fits({"quantization": word})) is not None:
                yield f"`quantization: {word}`{room(ledger)}"
                return


def _smaller_cache(trial: Trial) -> Iterator[str]:
    cache = trial.model.kv_cache
    if cache.dtype == "auto" and trial.fits({"kv_cache": cache.model_copy(update={"dtype": "fp8"})}):
        yield "`kv_cache: {dtype: fp8}`"
