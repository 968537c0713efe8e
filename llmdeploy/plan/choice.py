"""`engine: auto`: which engine a model gets.

Whether an engine is capable is not looked up but tried: the model is checked and lowered as if it named that
engine. So a new field, quantization or GPU needs no second table of who can do what.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from llmdeploy import checks
from llmdeploy.catalog.framework import Question
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Severity
from llmdeploy.plan import fit
from llmdeploy.plan.placement import pool_of
from llmdeploy.plan.policy import Choice, PassedOver, Policy, leaf
from llmdeploy.plan.settings import settings_of
from llmdeploy.plan.ways_out import ways_out

_NOT_MAINTAINED = "LD505"
_OF_SHAPE = frozenset({"LD301", "LD302", "LD305", "LD336", "LD337", "LD338", "LD339"})


def choose(context: Context, policy: Policy) -> Context:
    """Return the context with an engine for every model that leaves the choice to us."""
    open_ones = [name for name, model in context.spec.models.items() if model.engine == "auto"]
    return replace(context, choices={name: _choice(context, name, policy) for name in open_ones})


def _choice(context: Context, name: str, policy: Policy) -> Choice:
    found = leaf(context.spec.models[name].needs or ())
    if policy == "course":
        return Choice(found.engines[0], found, policy)
    against = {engine: _against(context, name, engine, found) for engine in found.engines}
    maintained = [
        set(map(_subject, findings))
        for findings in against.values()
        if _NOT_MAINTAINED not in {finding.code for finding in findings}
    ]
    # What stands against every engine is about the model, and is reported as such.
    common = set.intersection(*maintained) if maintained else set()
    passed: list[PassedOver] = []
    for engine, findings in against.items():
        own = next((each for each in findings if _subject(each) not in common), None)
        if own is None:
            return Choice(engine, found, policy, tuple(passed))
        remedy = own.help if own.code != _NOT_MAINTAINED else None
        passed.append(PassedOver(engine, own.message, remedy))
    return Choice(None, found, policy, tuple(passed))


def _subject(finding: Diagnostic) -> object:
    """Return what two engines' findings share where they say the same in their own words."""
    return (finding.code, finding.path) if finding.code in _OF_SHAPE else finding


def _against(context: Context, name: str, engine: str, found: Question) -> list[Diagnostic]:
    """Return what speaks against an engine: that nobody maintains it, and every error that the model has on it."""
    model = context.spec.models[name]
    # Alone, so that a thousand models are not checked a thousand times.
    spec = context.spec.model_copy(update={"models": {name: model}, "routes": []})
    trial = context.on_trial(spec, choices={name: Choice(engine, found, "maintained")})
    return sorted(_findings(trial, name, engine), key=lambda finding: finding.code != _NOT_MAINTAINED)


def _findings(trial: Context, name: str, engine: str) -> Iterator[Diagnostic]:
    findings = [each for each in checks.check(trial) if each.path[:2] == ("models", name)]
    if pool_of(trial.spec, name) in trial.pools:
        settings, _, ledger = settings_of(trial, name, {})
        findings += [
            *trial.engines[engine].lower(settings).diagnostics,
            *fit.findings(trial, name, ledger, ways_out),
        ]
    for finding in findings:
        if finding.severity is Severity.ERROR or finding.code == _NOT_MAINTAINED:
            yield finding
