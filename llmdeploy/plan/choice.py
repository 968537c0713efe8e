"""`engine: auto`: which engine a model gets.

Whether an engine is capable is not looked up but tried: the model is checked and lowered as if it named that
engine. So a new field, quantization or GPU needs no second table of who can do what.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from llmdeploy import checks
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Severity
from llmdeploy.plan.placement import pool_of
from llmdeploy.plan.policy import Choice, Leaf, Policy, leaf
from llmdeploy.plan.settings import settings_of

NOT_KEPT = "LD505"
_OF_SHAPE = frozenset({"LD301", "LD302", "LD305", "LD336", "LD337", "LD338", "LD339"})


def choose(context: Context, policy: Policy) -> Context:
    """Return the context with an engine for every model that leaves the choice to us."""
    open_ones = [name for name, model in context.spec.models.items() if model.engine == "auto"]
    return replace(context, choices={name: _choice(context, name, policy) for name in open_ones})


def _choice(context: Context, name: str, policy: Policy) -> Choice:
    found = leaf(context.spec.models[name].needs or ())
    if policy == "course":
        return Choice(found.engines[0], found, policy)
    against = {engine: list(_against(context, name, engine, found, policy)) for engine in found.engines}
    # What stands against every engine is about the model, and is reported as such.
    common = set.intersection(*({*map(_subject, findings)} for findings in against.values()))
    passed: list[tuple[str, str]] = []
    for engine, findings in against.items():
        own = [finding for finding in findings if _subject(finding) not in common]
        if not own:
            return Choice(engine, found, policy, tuple(passed))
        passed.append((engine, own[0].message))
    return Choice(None, found, policy, tuple(passed))


def _subject(finding: Diagnostic) -> object:
    """Return what two engines' findings share where they say the same in their own words."""
    return (finding.code, finding.path) if finding.code in _OF_SHAPE else finding


def _against(context: Context, name: str, engine: str, found: Leaf, policy: Policy) -> Iterator[Diagnostic]:
    """Yield what speaks against an engine: that nobody keeps it, and every error that the model has on it."""
    model = context.spec.models[name]
    # Alone, so that a thousand models are not checked a thousand times.
    spec = context.spec.model_copy(update={"models": {name: model}, "routes": []})
    trial = replace(context, spec=spec, choices={name: Choice(engine, found, policy)})
    findings = [each for each in checks.check(trial) if each.path[:2] == ("models", name)]
    if pool_of(spec, name) in context.pools:
        findings += context.engines[engine].lower(settings_of(trial, name, {})[0]).diagnostics
    for finding in sorted(findings, key=lambda finding: finding.code != NOT_KEPT):
        if finding.severity is Severity.ERROR or finding.code == NOT_KEPT:
            yield finding
