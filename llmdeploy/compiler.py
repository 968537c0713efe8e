"""The whole pipeline: read, parse, check, resolve, emit. Pure: the same text and facts give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy import checks
from llmdeploy.checks import targets as target_checks
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, waivers
from llmdeploy.diagnostics.model import has_errors
from llmdeploy.diagnostics.place import sort
from llmdeploy.diagnostics.redact import redacted
from llmdeploy.emit import Artifact
from llmdeploy.facts import Facts
from llmdeploy.plan.hardware import hardware
from llmdeploy.plan.model import Plan
from llmdeploy.plan.policy import Policy
from llmdeploy.plan.resolve import resolve
from llmdeploy.registry import ENGINES, TARGETS
from llmdeploy.source import Source, read
from llmdeploy.spec.model import Spec
from llmdeploy.spec.parse import parse
from llmdeploy.targets.base import Target

if TYPE_CHECKING:
    from llmdeploy.plan.defaults import Setting

# Without the party that such a finding names there is nothing to resolve.
_UNRESOLVABLE = frozenset({"LD110", "LD202", "LD203", "LD205", "LD208", "LD209", "LD211"})


class Result(Struct, frozen=True):
    """What a compilation gave. `plan` is None, and `artifacts` empty, where an error stands in the way."""

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    spec: Spec | None = None
    plan: Plan | None = None
    artifacts: tuple[Artifact, ...] = ()

    @property
    def ok(self) -> bool:
        return not has_errors(self.diagnostics)


def compile(
    text: str,
    targets: Iterable[str] | None = None,
    facts: Facts | Callable[[Spec], Facts] | None = None,
    *,
    file: str = "llm.yaml",
    emit: bool = True,
    policy: Policy = "maintained",
) -> Result:
    """Compile the text of an llm.yaml.

    `targets` are names of targets; by default those listed under `targets`, else all built-in ones. `facts`
    is what is known beside the file, or a function that finds it out once the spec is read. `emit=False`
    stops at the plan. `policy` chooses for `engine: auto`. Never raises for what stands in `text`; raises KeyError for an unknown target in `targets`.
    """
    source, found = read(text, file)
    spec, problems = (None, []) if has_errors(found) else parse(source, _options_from_outside(source))
    found = [*found, *problems]
    if spec is None or has_errors(found):
        return _result(source, found, spec)
    known = facts(spec) if callable(facts) else facts or Facts()
    default = default_targets(spec)
    chosen = {name: TARGETS[name] for name in targets or default}
    context = Context(spec, known, hardware(spec), ENGINES, chosen)
    if any(model.engine == "auto" for model in spec.models.values()):
        from llmdeploy.plan.choice import choose

        context = choose(context, policy)
    found += checks.check(context)
    undecided = any(choice.engine is None for choice in context.choices.values())
    if undecided or any(finding.code in _UNRESOLVABLE for finding in found):
        return _result(source, found, spec)
    plan, problems = resolve(context, _options(spec, chosen))
    found += problems
    if not has_errors(problems):
        found += target_checks.check(context, plan)
    # A waiver may be meant for a target that is left out this time.
    result = _result(source, found, spec, plan, complete=chosen.keys() >= set(default))
    if not emit or not result.ok:
        return result
    from llmdeploy.emit.readme import readme

    artifacts = [artifact for target in chosen.values() for artifact in target.emit(plan)]
    artifacts.append(readme(plan, list(chosen.values())))
    return Result(source, result.diagnostics, spec, plan, tuple(artifacts))


def _result(
    source: Source,
    found: list[Diagnostic],
    spec: Spec | None,
    plan: Plan | None = None,
    *,
    complete: bool = False,
) -> Result:
    """`complete`: every check of every target has spoken, so a waiver that waives nothing is idle."""
    # Two models may have the same to say of one line.
    kept = waivers.apply(list(dict.fromkeys(found)), source, complete)
    return Result(source, tuple(map(redacted, sort(kept, source))), spec, plan)


def default(spec: Spec, facts: Facts, name: str, engine: str, setting: Setting) -> int | None:
    """Return what `engine` takes for a model where nothing is said of a setting; None where that is not known."""
    from llmdeploy.plan.defaults import default

    models = {**spec.models, name: spec.models[name].model_copy(update={"engine": engine})}
    changed = spec.model_copy(update={"models": models})
    return default(Context(changed, facts, hardware(spec), ENGINES, {}), name, setting)


def extended(result: Result, found: Iterable[Diagnostic]) -> Result:
    """Return the result with what was found after it, waived, redacted and sorted like everything else."""
    kept = waivers.apply(found, result.source, complete=False)
    every = dict.fromkeys([*result.diagnostics, *map(redacted, kept)])
    return replace(result, diagnostics=tuple(sort(every, result.source)))


def default_targets(spec: Spec) -> list[str]:
    """Return the targets listed under `targets`, else all built-in ones."""
    listed = [name for name in type(spec.targets).model_fields if getattr(spec.targets, name) is not None]
    return listed or list(TARGETS.built_in)


def _options_from_outside(source: Source) -> dict[str, Any]:
    """Return the option models of targets that llm.yaml names and other packages bring."""
    named = source.data.get("targets") if isinstance(source.data, dict) else None
    names = [name for name in named if name not in TARGETS.built_in] if isinstance(named, dict) else []
    found = {name: TARGETS.get(name) for name in names}
    return {name: target.options for name, target in found.items() if target is not None and target.options}


def _options(spec: Spec, targets: Mapping[str, Target]) -> dict[str, Any]:
    """Return each target's options. helm takes kubernetes' unless it states its own."""
    from llmdeploy.spec.targets import Compose, Docker, Helm, Kubernetes

    stated = spec.targets
    # Defaults need no check: pydantic would build a validator for each.
    kubernetes = stated.kubernetes or Kubernetes.model_construct()
    helm = stated.helm or Helm.model_construct()
    merged = {
        **{field: getattr(kubernetes, field) for field in kubernetes.model_fields_set},
        **{field: getattr(helm, field) for field in helm.model_fields_set},
    }
    options: dict[str, Any] = {
        "docker": stated.docker or Docker.model_construct(),
        "compose": stated.compose or Compose.model_construct(),
        "kubernetes": kubernetes,
        "helm": Helm.model_construct(**merged),
    }
    for name, target in targets.items():
        if name not in options:
            options[name] = getattr(stated, name, None) or (target.options() if target.options else None)
    return options
