"""Do the parallel sizes fit the GPUs and the model's layers, experts and heads?"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from llmdeploy.catalog import ModelFacts
from llmdeploy.checks.architecture import EXPERTS, notes
from llmdeploy.checks.context import Context
from llmdeploy.checks.engines import Release, release_of
from llmdeploy.diagnostics import Diagnostic, Path, Place
from llmdeploy.engines.base import argument
from llmdeploy.plan.parallelism import broken_groups, divides, obstacles, tensor_size
from llmdeploy.spec.model import Model

_SIZES = (
    *("num_attention_heads", "num_key_value_heads", "kv_lora_rank", "vocab_size", "intermediate_size"),
    *("moe_intermediate_size",),
)
_FACTS = {
    "LD302": (*_SIZES, *EXPERTS),
    "LD336": (*_SIZES, "hidden_size", "head_dim", "quantization_config"),
    "LD337": EXPERTS,
    "LD338": ("num_hidden_layers",),
    "LD339": ("architectures", "vision_config"),
    "LD522": ("num_hidden_layers",),
}
"""The keys of `architecture` that a finding may rest on."""

_LARGEST = 64
"""The help lists no larger tensor sizes: nobody has more GPUs in a node."""


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        yield from _product(name, model)
        facts, release = context.model_facts(name), release_of(context, name)
        if facts is None or release is None:
            continue
        staged = context.engines[release.engine].takes("pipeline", release.version, release.pool.vendor)
        for finding in (
            *_tensor(name, model, facts, release, staged=staged),
            *_experts(name, model, facts, release),
            *_stages(name, model, facts),
            *_vision(name, model, facts, release),
        ):
            yield replace(finding, notes=(*finding.notes, *notes(context, name, *_FACTS[finding.code])))


def _product(name: str, model: Model) -> Iterator[Diagnostic]:
    parallel, count = model.parallel, model.gpus.count
    tensor = tensor_size(model)
    if tensor and tensor * parallel.pipeline * parallel.data == count:
        return
    stated = " × ".join(
        f"{key} {value}"
        for key, value in (
            ("tensor", parallel.tensor),
            ("pipeline", parallel.pipeline),
            ("data", parallel.data),
        )
        if value is not None
    )
    help = "tensor × pipeline × data must equal gpus.count; leave `tensor` out and it becomes what is left"
    if parallel.tensor is None:
        legal = ", ".join(str(size) for size in range(1, count + 1) if count % size == 0)
        help = f"pipeline × data must divide {count}, and what is left is `tensor`: {legal}"
    yield Diagnostic(
        "LD301",
        f"{stated} do not multiply to the {count} GPUs of `{name}`",
        ("models", name, "parallel"),
        help=help,
    )


def _tensor(
    name: str, model: Model, facts: ModelFacts, release: Release, *, staged: bool
) -> Iterator[Diagnostic]:
    """`staged`: the engine has pipeline stages."""
    size, spread = tensor_size(model), model.parallel.expert
    if size <= 1:
        return
    found = list(obstacles(facts, release.limits, size, spread=spread))
    broken = next(broken_groups(facts, size, spread=spread), None)
    if found:
        what = f"{', '.join(found[:-1])} and {found[-1]}" if found[1:] else found[0]
        message = f"`{name}` has {what}: that does not divide over {size} tensor-parallel GPUs"
        yield Diagnostic("LD302", message, _place(name, model), _legal(facts, release, size, spread, staged))
    elif broken is not None:
        layer, features, unit = broken
        message = (
            f"over {size} tensor-parallel GPUs the {layer} weights of `{name}` have {features} features each, "
            f"no multiple of the {unit} that are quantized together"
        )
        help = _legal(facts, release, size, spread, staged)
        if layer == "MLP" and facts.experts and divides(facts, release.limits, size, spread=True):
            help += ", or hand the experts out whole with `parallel: {expert: true}`"
        yield Diagnostic("LD336", message, _place(name, model), help)


def _place(name: str, model: Model) -> Path:
    stated = model.parallel.tensor is not None
    return ("models", name, "parallel", "tensor") if stated else ("models", name, "gpus")


def _legal(facts: ModelFacts, release: Release, size: int, spread: bool, staged: bool) -> str:
    sizes = range(1, max(_LARGEST, size) + 1)
    legal = (str(n) for n in sizes if divides(facts, release.limits, n, spread=spread))
    layers = "; or split by layers with `parallel.pipeline`" if staged else ""
    return f"tensor sizes that do: {', '.join(legal)}{layers}"


def _experts(name: str, model: Model, facts: ModelFacts, release: Release) -> Iterator[Diagnostic]:
    """vLLM wants experts, and hands them out as they come; SGLang wants the same number for each rank."""
    if not model.parallel.expert or facts.experts is None:
        return
    path = ("models", name, "parallel", "expert")
    if facts.experts == 0:
        message = f"`expert: true` spreads the experts of a mixture, and `{name}` is dense"
        yield Diagnostic("LD337", message, path, "remove `expert`")
        return
    ranks = tensor_size(model) * (1 if release.limits.even_experts else model.parallel.data)
    uneven = release.limits.even_experts and ranks and facts.experts % ranks
    if uneven or ranks > facts.experts:
        legal = ", ".join(str(n) for n in range(1, _LARGEST + 1) if facts.experts % n == 0)
        message = (
            f"`{name}` has {facts.experts} experts, which do not spread over {ranks} ranks of {release.name}"
        )
        yield Diagnostic("LD337", message, path, f"numbers of ranks that do: {legal}; or remove `expert`")


def _stages(name: str, model: Model, facts: ModelFacts) -> Iterator[Diagnostic]:
    stages, layers = model.parallel.pipeline, facts.layers
    if layers is None or stages <= 1:
        return
    path = ("models", name, "parallel", "pipeline")
    if stages > layers:
        message = f"`{name}` has {layers} layers, too few for {stages} pipeline stages"
        yield Diagnostic("LD338", message, path, f"set `pipeline: {layers}` or less")
    elif layers % stages:
        each = layers // stages
        message = f"{layers} layers do not divide over {stages} stages: some have {each} and some {each + 1}"
        yield Diagnostic("LD522", message, path)


def _vision(name: str, model: Model, facts: ModelFacts, release: Release) -> Iterator[Diagnostic]:
    size, vision = tensor_size(model), release.limits.vision
    split = vision.architectures & set(facts.architectures)
    if size <= 1 or facts.vision_heads is None or facts.vision_heads % size == 0 or not split:
        return
    stated = {argument(key): value for key, value in model.engine_args.items()}
    ((key, value),) = vision.whole.items()
    if stated.get(key) == value:
        return
    written = str(value).lower() if isinstance(value, bool) else value
    # Flags are one engine's, and refused where the engine is left open.
    named = f"`engine: {release.engine}` and " if model.engine == "auto" else ""
    whole = f"leave the encoder whole with {named}`engine_args: {{{key}: {written}}}`"
    yield Diagnostic(
        "LD339",
        f"the vision encoder of `{name}` has {facts.vision_heads} heads, which do not divide over {size} tensor-parallel GPUs",
        _place(name, model),
        f"{whole}, or set a `tensor` that divides",
        place=Place.VALUE,
    )
