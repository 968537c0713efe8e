"""Changes to a model on trial: checked, lowered and sized as if llm.yaml said so, beside those that it shares cards with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy import checks
from llmdeploy.checks.context import Context
from llmdeploy.checks.placement import ONE_HOST
from llmdeploy.diagnostics import Path, Severity
from llmdeploy.memory import Ledger, Verdict
from llmdeploy.memory.config import Config
from llmdeploy.plan import crowding, sharing, startup
from llmdeploy.plan.hardware import Hardware, hardware
from llmdeploy.plan.packing import divide, packed
from llmdeploy.plan.placement import needs, pool_of
from llmdeploy.plan.placement import sharing as sharers
from llmdeploy.plan.settings import settings_of
from llmdeploy.spec.model import Model, Multimodal

Changes = Mapping[str, Any]
WORTH_SAYING = 1024
"""Tokens: a context below this helps nobody."""
_ORDER = (Verdict.NO, Verdict.UNKNOWN, Verdict.TIGHT, Verdict.FITS)


class State(Struct, frozen=True):
    """Errors and warnings of some models, by code and place, and whether each of them fits."""

    wrong: set[tuple[str, Path]]
    verdicts: Mapping[str, Verdict]


class Trial:
    """One model, and what its file would say of changes to it."""

    def __init__(self, context: Context, name: str) -> None:
        self.context, self.name = context, name
        self.model: Model = context.spec.models[name]
        self.pool: Hardware = context.pools[pool_of(context.spec, name) or ""]
        self.shared = bool(sharers(context.spec, self.pool.name))
        self._before: dict[tuple[str, ...], State] = {}

    def fits(
        self,
        changes: Changes,
        *,
        others: Mapping[str, Changes] | None = None,
        cards: int | None = None,
        node_gib: float | None = None,
        gpu: str | None = None,
    ) -> Ledger | None:
        """Return the ledger with these changes, where it fits and nothing is wrong that was right before.

        `others` are changes to the models beside it. `cards` is how many GPUs a node of its pool then has (by
        default those that it has, or that others leave), `node_gib` the memory of a node of CPUs, `gpu` another type.
        """
        trial = self.context_with({self.name: changes, **(others or {})}, cards, node_gib, gpu)
        # Memory first: most of what is tried fails there.
        ledger = settings_of(trial, self.name, {})[2]
        if ledger is None or ledger.verdict is not Verdict.FITS:
            return None
        stated = changes.get("concurrency")
        if stated is not None and stated > (ledger.requests_at_context or 0):
            return None  # what this states would be warned of (LD517)
        mates = list(trial.spec.models) if gpu else self._mates(trial)
        return ledger if self._as_right(trial, mates) else None

    def seats(self, trial: Context) -> bool:
        """Tell whether there all models of the pool find a card, and all is as right with them as it was."""
        if trial.seating(trial.pools[self.pool.name]).homeless:
            return False
        return self._as_right(trial, list(trial.spec.models))

    @cached_property
    def free(self) -> int:
        """How many GPUs one replica could have on a node of its pool."""
        spec, pool, model = self.context.spec, self.pool, self.model
        # One host has one node of it.
        one_host = any(target.secret_kind == ONE_HOST for target in self.context.targets.values())
        nodes = 1 if one_host else pool.nodes
        others = {each: need for each, need in needs(spec, pool.name).items() if each != self.name}
        if self.shared:
            # Where it sits already there is room for it, beside others.
            least = model.gpus.count if model.gpus.share else 0
            left = pool.count * nodes - packed(others, pool.count).cards
            return max(min(pool.count, left // model.replicas), least)
        sizes = [need.count for need in others.values() for _ in range(need.replicas)]
        most = range(pool.count, 0, -1)
        return next(
            (each for each in most if divide([*sizes, *[each] * model.replicas], pool.count, nodes)), 0
        )

    @cached_property
    def items(self) -> Multimodal | None:
        """What a prompt may have beside text; None where the model has no vision tower."""
        sees = Config(self.context.checkpoint(self.name).config).mapping("vision_config")
        return self.model.multimodal or Multimodal() if sees else None

    def _as_right(self, trial: Context, mates: list[str]) -> bool:
        """Tell whether nothing is wrong with it and these models that was right before, and these fit as they did."""
        key = tuple(mates)
        if key not in self._before:
            self._before[key] = self._state(self.context_with({}), mates)
        before, after = self._before[key], self._state(trial, mates)
        worse = (_ORDER.index(after.verdicts[mate]) < _ORDER.index(before.verdicts[mate]) for mate in mates)
        return after.wrong <= before.wrong and not any(worse)

    def context_with(
        self,
        changes: Mapping[str, Changes],
        cards: int | None = None,
        node_gib: float | None = None,
        gpu: str | None = None,
    ) -> Context:
        """Return what llm.yaml would be with changes to models, by name; of the others, as much as matters."""
        spec, pool = self.context.spec, self.pool
        # Only on a shared card or node does it matter who else is there; a thousand models are not checked a thousand times.
        beside = self.shared or pool.is_cpu
        models = {
            name: model.model_copy(update=changes[name]) if name in changes else model
            for name, model in spec.models.items()
            if name == self.name or (beside and pool_of(spec, name) == pool.name)
        }
        gpus = dict(spec.gpus)
        if cards is not None and cards > pool.count:
            gpus[pool.name] = gpus[pool.name].model_copy(update={"count": cards, "devices": None})
        if gpu is not None:
            gpus[pool.name] = gpus[pool.name].model_copy(update={"type": gpu})
            pool = hardware(spec.model_copy(update={"gpus": gpus}))[pool.name]
        count = cards or (pool.count if beside else max(self.free, 1))
        more = tuple(f"one more, {index}" for index in range(pool.count, count)) if pool.devices else ()
        here = replace(
            pool,
            count=count,
            nodes=pool.nodes if beside else self.model.replicas,  # what is free is so for each replica
            memory_gib=node_gib or pool.memory_gib,
            devices=(*pool.devices, *more),
        )
        return self.context.on_trial(
            spec.model_copy(update={"models": models, "routes": [], "gpus": gpus}),
            pools={**self.context.pools, pool.name: here},
        )

    def _mates(self, trial: Context) -> list[str]:
        """Return the models that share a card with it, as it was or as it would be, where anybody sits otherwise."""
        now, then = self.context.seating(self.pool), trial.seating(trial.pools[self.pool.name])
        if not self.shared or now == then:
            return []
        cards = [seating.owners[card] for seating in (now, then) for card in seating.cards_of(self.name)]
        found = {mate for owners in cards for mate in owners}
        return [name for name in trial.spec.models if name in found and name != self.name]

    def _state(self, trial: Context, mates: list[str]) -> State:
        """Return how it stands with it and these models, but for what memory itself has to say."""
        few = {name: each for name, each in trial.spec.models.items() if name in (self.name, *mates)}
        reduced = replace(trial, spec=trial.spec.model_copy(update={"models": few}))
        # Seated as all of the pool are.
        reduced.seatings[self.pool.name] = trial.seating(trial.pools[self.pool.name])
        found = [*checks.check(reduced), *crowding.findings(trial, trial.pools[self.pool.name])]
        verdicts = {}
        for name in few:
            settings, _, ledger = settings_of(trial, name, {})
            verdicts[name] = ledger.verdict if ledger else Verdict.UNKNOWN
            found += trial.engines[trial.engine_of(name)].lower(settings).diagnostics
            found += sharing.findings(trial, name, settings.values, ledger)
            found += startup.findings(trial, name, settings.startup)
        wrong = {(each.code, each.path) for each in found if each.severity is not Severity.NOTE}
        return State(wrong, verdicts)


def room(ledger: Ledger) -> str:
    """Say how many requests of full length then fit."""
    requests = int(ledger.requests_at_context or 0)
    return f" (room for {requests} request{'s' * (requests != 1)} of {ledger.context} tokens)"
