"""What would make a model fit: each way is tried, by checking and sizing the model as if llm.yaml said so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from llmdeploy import checks
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Severity
from llmdeploy.memory import Ledger, Verdict
from llmdeploy.plan.placement import demand, layout, pool_of, sharing
from llmdeploy.plan.settings import settings_of
from llmdeploy.plan.sizing import equation, longest, question
from llmdeploy.spec.model import Model

_LARGEST_NODE = 8
"""GPUs that a node commonly has, where the pool has fewer."""
_WORTH_SAYING = 1024
"""Tokens: a context below this helps nobody."""
_SHARES = (0.92, 0.9, 0.85, 0.8)
_STEP = 0.05
"""Of a share of a card."""
_LARGEST_SHARE = 0.95
"""Most of the recorded starts of vLLM state 0.95, three state more; what lies above it is the driver's and NCCL's."""
_QUANTIZATIONS = ("fp8", "int8", "nvfp4", "mxfp4", "int4", "bitsandbytes")
_BATCH_TOKENS = 2048
"""Tokens of a step: what vLLM takes on small cards."""
_SEQUENCES = (512, 256, 128, 64, 32, 16, 8)


def ways_out(context: Context, name: str) -> list[str]:
    """Return what to write instead, each by itself enough: it compiles without an error, and fits."""
    model = context.spec.models[name]
    fewer = list(_fewer(context, name, model))
    texts = [*_shorter(context, name, model), *fewer, *_smaller_steps(context, name, model, also=not fewer)]
    usual = list(_share(context, name, model)) if model.gpus.share is None else []
    texts += usual
    texts += _larger_share(context, name, model)
    texts += [*_quantized(context, name, model), *_smaller_cache(context, name, model)]
    texts += _split(context, name, model)
    plain = _more_gpus(context, name, model)
    if plain is not None:
        texts.append(plain[1])
    if plain is None or plain[0] > 2 * model.gpus.count:
        texts += _both(context, name, model, plain[0] if plain else None)
    return texts if usual else [*texts, *_most_of_the_card(context, name, model)]


def _tried(context: Context, name: str, changes: dict[str, Any], units: int | None = None) -> Ledger | None:
    """Return the ledger of a model with these changes, where it fits and they bring no error of their own."""
    ledger, errors = _judged(context, name, changes, units)
    if ledger is None or ledger.verdict is not Verdict.FITS:
        return None
    return ledger if not errors or errors <= _judged(context, name, {})[1] else None


def _judged(
    context: Context, name: str, changes: dict[str, Any], units: int | None = None
) -> tuple[Ledger | None, set[str]]:
    """Return the ledger of a model with these changes, and the codes of the errors that it then has."""
    model = context.spec.models[name].model_copy(update=changes)
    # Alone, with what the other models of its pool leave.
    spec = context.spec.model_copy(update={"models": {name: model}, "routes": []})
    pools = dict(context.pools)
    pool = pools[pool_of(context.spec, name) or ""]
    pools[pool.name] = replace(pool, count=max(units or _free(context, name), 1), nodes=1)
    trial = context.on_trial(spec, pools=pools)
    found = [each for each in checks.check(trial) if each.path[:2] == ("models", name)]
    settings, _, ledger = settings_of(trial, name, {})
    found += context.engines[context.engine_of(name)].lower(settings).diagnostics
    return ledger, {each.code for each in found if each.severity is Severity.ERROR}


def _free(context: Context, name: str) -> int:
    """Return how many GPUs one replica could have on a node of its pool."""
    pool = context.pools[pool_of(context.spec, name) or ""]
    model = context.spec.models[name]
    taken = demand(context.spec)[pool.name]
    if sharing(context.spec, pool.name):
        rest = {each: other for each, other in context.spec.models.items() if each != name}
        others = layout(context.spec.model_copy(update={"models": rest}), pool).cards
    else:
        others = sum(units for each, units in taken.items() if each != name)
    # Where it sits already there is room for it, beside others.
    least = model.gpus.count if model.gpus.share else 0
    return max(min(pool.count, (pool.total - others) // model.replicas), least)


def _larger_share(context: Context, name: str, model: Model) -> Iterator[str]:
    """Take more of the cards that it sits on, as far as others leave it."""
    share, pool = model.gpus.share, context.pools[pool_of(context.spec, name) or ""]
    seating = context.seating(pool)
    if share is None or not seating.cards_of(name):
        return
    left = min(
        1 - sum(seating.shares[each] for each in seating.owners[card]) for card in seating.cards_of(name)
    )
    for more in range(1, int(left / _STEP + _STEP) + 1):
        larger = round(share + more * _STEP, 2)
        if _tried(context, name, {"gpus": model.gpus.model_copy(update={"share": larger})}):
            yield f"`gpus.share: {larger:g}`"
            return


def _shorter(context: Context, name: str, model: Model) -> Iterator[str]:
    pool = context.pools[pool_of(context.spec, name) or ""]
    values = dict(settings_of(context, name, {})[0].values)
    asked = question(context, name, values, pool)
    if asked is None:
        return
    length = longest(asked, equation(context, name))
    if length and length >= _WORTH_SAYING and _tried(context, name, {"context": length}):
        yield f"set `context: {length}`"


def _fewer(context: Context, name: str, model: Model) -> Iterator[str]:
    """A sampler's peak grows with the requests that run at once."""
    for many in _SEQUENCES:
        if (model.concurrency is None or many < model.concurrency) and _tried(
            context, name, {"concurrency": many}
        ):
            yield f"`concurrency: {many}`"
            return


def _smaller_steps(context: Context, name: str, model: Model, *, also: bool) -> Iterator[str]:
    """The peak of activations grows with the tokens of a step. `also`: with fewer requests, which alone do not do."""
    for many in (None, *(_SEQUENCES if also else ())):
        changes = (
            {"batch_tokens": _BATCH_TOKENS}
            if many is None
            else {"batch_tokens": _BATCH_TOKENS, "concurrency": many}
        )
        if _tried(context, name, changes):
            yield f"`batch_tokens: {_BATCH_TOKENS}`" + (
                f" with `concurrency: {many}`" if many is not None else ""
            )
            return


def _share(context: Context, name: str, model: Model) -> Iterator[str]:
    """SGLang's own share of a small card is cautious; vLLM's may be more than is free when it starts."""
    for share in _SHARES:
        if model.memory_fraction != share and _tried(context, name, {"memory_fraction": share}):
            yield f"`memory_fraction: {share}`"
            return


def _most_of_the_card(context: Context, name: str, model: Model) -> Iterator[str]:
    """The last thing to try: what the estimate is off by, and any other process of the card, have what is left."""
    if model.gpus.share is not None or (model.memory_fraction or 0.0) >= _LARGEST_SHARE:
        return
    if _tried(context, name, {"memory_fraction": _LARGEST_SHARE}):
        yield f"`memory_fraction: {_LARGEST_SHARE}` where nothing else runs on the card"


def _split(context: Context, name: str, model: Model) -> Iterator[str]:
    """Shard over more of the GPUs that it has: neither copies nor stages hold as much of a request on each."""
    now = model.parallel
    for pipeline, data in ((1, 1), (1, now.data), (now.pipeline, 1)):
        tensor, rest = divmod(model.gpus.count, pipeline * data)
        if rest or (pipeline, data) == (now.pipeline, now.data):
            continue
        changes = {"tensor": tensor, "pipeline": pipeline, "data": data}
        if _tried(context, name, {"parallel": now.model_copy(update=changes)}):
            yield f"{_parallel(changes, expert=now.expert)} on the same GPUs"
            return


def _parallel(sizes: dict[str, int], *, expert: bool) -> str:
    said = [f"{size}: {many}" for size, many in sizes.items() if size == "tensor" or many > 1]
    return f"`parallel: {{{', '.join([*said, *(['expert: true'] if expert else [])])}}}`"


def _quantized(context: Context, name: str, model: Model) -> Iterator[str]:
    if model.quantization in (None, "none"):
        for word in _QUANTIZATIONS:
            if (ledger := _tried(context, name, {"quantization": word})) is not None:
                yield f"`quantization: {word}`{_room(ledger)}"
                return


def _smaller_cache(context: Context, name: str, model: Model) -> Iterator[str]:
    if model.kv_cache.dtype == "auto":
        cache = model.kv_cache.model_copy(update={"dtype": "fp8"})
        if _tried(context, name, {"kv_cache": cache}) is not None:
            yield "`kv_cache: {dtype: fp8}`"


def _more_gpus(context: Context, name: str, model: Model, **also: Any) -> tuple[int, str] | None:
    """Return the fewest GPUs that do, and how to write it."""
    free = _free(context, name)
    for count in range(model.gpus.count + 1, max(free, _LARGEST_NODE) + 1):
        ledger = _tried(context, name, {**_spread(model, count), **also}, max(free, count))
        if ledger is not None:
            return count, f"{_written(context, name, model, count, free)}{_room(ledger)}"
    return None


def _both(context: Context, name: str, model: Model, plain: int | None) -> Iterator[str]:
    """More GPUs and FP8 together, where either alone takes many."""
    if model.quantization not in (None, "none"):
        return
    found = _more_gpus(context, name, model, quantization="fp8")
    if found is not None and (plain is None or found[0] < plain):
        yield f"{found[1]} with `quantization: fp8`"


def _spread(model: Model, count: int) -> dict[str, Any]:
    changes: dict[str, Any] = {"gpus": model.gpus.model_copy(update={"count": count})}
    if model.parallel.tensor is not None:
        tensor = count // (model.parallel.pipeline * model.parallel.data)
        changes["parallel"] = model.parallel.model_copy(update={"tensor": tensor})
    return changes


def _written(context: Context, name: str, model: Model, count: int, free: int) -> str:
    tensor = count // (model.parallel.pipeline * model.parallel.data)
    also = f" and `parallel.tensor: {tensor}`" if model.parallel.tensor is not None else ""
    more = f" where pool `{pool_of(context.spec, name)}` has {count} of them free" if count > free else ""
    return f"`gpus.count: {count}`{also}{more}"


def _room(ledger: Ledger) -> str:
    requests = int(ledger.requests_at_context or 0)
    return f" (room for {requests} request{'s' * (requests != 1)} of {ledger.context} tokens)"
