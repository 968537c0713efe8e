"""Ways out for a model that does without what its own `engine_args` ask for."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from llmdeploy.memory import Verdict
from llmdeploy.memory.overrides import FLAGS
from llmdeploy.plan.settings import settings_of
from llmdeploy.plan.sizing import equation, question, stated_as
from llmdeploy.plan.trial import Trial, room

_MOST = 40
"""Doublings of a pool: more than any card holds."""


def another_pool(trial: Trial) -> Iterator[str]:
    """Give a pool whose size is stated the fewest tokens or blocks that hold one request.

    Of one that is too large for the card a ledger has a reason, and it is best left out.
    """
    values, _, ledger = settings_of(trial.context, trial.name, {})
    key = stated_as(trial.model, ledger.limit) if ledger is not None and ledger.reason is None else None
    asked = question(trial.context, trial.name, dict(values.values), trial.pool)
    if key is None or asked is None:
        return
    ask = equation(trial.context, trial.name)

    def holds(many: int) -> bool:
        return ask(replace(asked, options={**trial.model.engine_args, key: many})).verdict is Verdict.FITS

    # Of less than 2 no engine makes a pool, and what it refuses says nothing.
    end = next((1 << power for power in range(1, _MOST) if holds(1 << power)), None)
    if end is None:
        return
    low = end // 2  # which does not
    while end - low > 1:
        middle = (low + end) // 2
        low, end = (low, middle) if holds(middle) else (middle, end)
    if trial.fits({"engine_args": {**trial.model.engine_args, key: end}}):
        yield f"`engine_args.{key}: {end}` or more"


def left_out(trial: Trial) -> Iterator[str]:
    """Leave it to the engine. What changes the model itself is no way out: that is another model."""
    given = trial.model.engine_args
    for key in given:
        rest = {each: value for each, value in given.items() if each != key}
        if key.lstrip("-").replace("_", "-").partition(".")[0] in FLAGS:
            continue
        if (ledger := trial.fits({"engine_args": rest})) is not None:
            yield f"leave `engine_args.{key}` out{room(ledger)}"
