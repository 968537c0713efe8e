"""Quantization as it is asked for, against what the checkpoint is, the engine can and the GPU runs."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from llmdeploy.catalog import Method
from llmdeploy.catalog.hub import named
from llmdeploy.checks.architecture import EXPERTS, notes
from llmdeploy.checks.context import Context
from llmdeploy.checks.engines import Release, has_code, or_engine, others, release_of
from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.plan.quantization import Choice, Problem, choose, loadable

_TITLES = {
    "awq": "AWQ",
    "gptq": "GPTQ",
    "fp8": "FP8",
    "fbgemm_fp8": "FP8 (FBGEMM)",
    "mxfp4": "MXFP4",
    "bitsandbytes": "bitsandbytes",
    "modelopt/fp8": "FP8 (ModelOpt)",
    "modelopt/nvfp4": "NVFP4 (ModelOpt)",
    "compressed-tensors/w4a16": "W4A16 (compressed-tensors)",
    "compressed-tensors/w8a16": "W8A16 (compressed-tensors)",
    "compressed-tensors/w4a8-fp8": "W4A8 FP8 (compressed-tensors)",
    "compressed-tensors/w8a8-fp8": "FP8 (compressed-tensors)",
    "compressed-tensors/w8a8-int8": "W8A8 INT8 (compressed-tensors)",
    "compressed-tensors/nvfp4": "NVFP4 (compressed-tensors)",
    "compressed-tensors/mxfp4": "MXFP4 (compressed-tensors)",
}
"""How checkpoints are called on the Hub. Variants that differ by their activations go by the first name."""


def check(context: Context) -> Iterator[Diagnostic]:
    for name in context.spec.models:
        release = release_of(context, name)
        if release is not None and has_code(release):
            yield from _model(context, name, release)


def choice_of(context: Context, name: str, release: Release, word: str | None = None) -> Choice:
    """Return what becomes of a model's quantization; of `word` where one is given."""
    model = context.spec.models[name]
    own = model.image is not None
    facts = context.model_facts(name)
    return choose(word or model.quantization, facts, release.limits, release.pool, own_image=own)


def _model(context: Context, name: str, release: Release) -> Iterator[Diagnostic]:
    choice = choice_of(context, name, release)
    stated = context.spec.models[name].quantization
    path: Path = ("models", name, "source" if stated is None else "quantization")
    if choice.problem is None:
        yield from _remarks(release, choice.method, path)
        yield from _by_name(context, name, release, path)
        return

    def would_do(other: Release) -> bool:
        found = choice_of(context, name, other)
        return found.problem is None and found.method is not None

    able = or_engine(others(context, release, would_do))
    found = _problem(context, name, release, choice, path, able)
    if hint := _name_says(context, name, release):
        found = replace(found, help=f"its name says {hint[0]}: {hint[1]}")
    yield replace(found, notes=(*found.notes, *notes(context, name, "quantization_config", *EXPERTS)))


def _problem(
    context: Context, name: str, release: Release, choice: Choice, path: Path, able: str
) -> Diagnostic:
    facts, stated = context.model_facts(name), context.spec.models[name].quantization
    title = title_of(facts.quantization) if facts and facts.quantization != "plain" else stated
    if choice.problem is Problem.QUANTIZED_OTHERWISE and facts is not None:
        bits = f", {facts.quantization_bits} bits" if facts.quantization_bits else ""
        undo = "`none` does not undo it" if stated == "none" else f"`{stated}` cannot be put on top"
        message = f"the checkpoint of `{name}` is quantized already ({title}{bits}), {undo}"
        return Diagnostic("LD330", message, path, _undone(context, name, release))
    if choice.problem is Problem.NEEDS_CHECKPOINT:
        known = facts is not None and facts.quantization is not None
        what = "and that of `{}` is not quantized" if known else "and what that of `{}` is, is not known"
        message = f"`{stated}` is a kind of checkpoint for {release.name}, {what.format(name)}"
        other = _instead(context, name, release) if known else _UNLESS_IT_IS
        return Diagnostic("LD331", message, path, _either(_formats(release, stated), other) + able)
    if choice.problem is Problem.NEEDS_EXPERTS:
        message = f"{release.name} makes `{stated}` of the experts of a mixture only, and `{name}` is dense"
        help = _either(_formats(release, stated), _instead(context, name, release)) + able
        return Diagnostic("LD331", message, path, help)
    if choice.problem is Problem.NOT_IN_IMAGE:
        package = choice.candidates[0].package
        message = f"{release.name} has `{title}` as a plug-in only, which its image lacks"
        own = f"name an `image` of your own with `{package}`"
        return Diagnostic("LD332", message, path, _either(_formats(release, stated), own) + able)
    if choice.problem is Problem.NOT_ON_ACCELERATOR:
        message = (
            f"{release.name} cannot run {title} on {_gpu(release)}: it needs {_needs(choice.candidates)}"
        )
        note = (Note("the GPUs", _stated(context, release)),)
        return Diagnostic("LD333", message, path, _instead(context, name, release) + able, note)
    verb = f"loads no {title} checkpoint" if stated is None else f"has no `quantization: {stated}`"
    why = "".join(f": {each.because}" for each in choice.candidates[:1])
    return Diagnostic("LD332", f"{release.name} {verb}{why}", path, _instead(context, name, release) + able)


def _name(context: Context, model: str) -> tuple[str, tuple[str, ...]] | None:
    """Return what the name of a repository says of its quantization, where nothing better is known."""
    hub, facts = context.hub_id(model), context.model_facts(model)
    unknown = facts is None or facts.quantization is None
    return named(hub) if hub is not None and unknown else None


def _name_says(context: Context, model: str, release: Release) -> tuple[str, str] | None:
    """Return what a name says of the weights, and what to do with a word that cannot be."""
    says = _name(context, model)
    if says is None:
        return None
    will = [word for word in says[1] if not choice_of(context, model, release, word).problem]
    also = f"; or write `quantization: {will[0]}`" if will else ""
    return says[0], f"leave `quantization` out: {release.title} reads it in config.json{also}"


def _by_name(context: Context, model: str, release: Release, path: Path) -> Iterator[Diagnostic]:
    """The engine refuses a word that is not the checkpoint's own."""
    stated, says = context.spec.models[model].quantization, _name(context, model)
    hint = _name_says(context, model, release)
    if hint is not None and says is not None and stated is not None and stated not in says[1]:
        message = f"by its name the checkpoint of `{model}` is {hint[0]}, and `quantization: {stated}` is asked of it"
        yield Diagnostic("LD528", message, path, hint[1])


def _instead(context: Context, name: str, release: Release) -> str:
    """Say what of the same engine would do here, as far as the checkpoint leaves a choice."""
    facts = context.model_facts(name)
    if facts is not None and facts.quantization not in (None, "plain"):
        return "take another checkpoint of the model"
    makes = dict.fromkeys(method.word for method in release.limits.methods if method.does == "make")
    will = [
        word
        for word in makes
        if word and (c := choice_of(context, name, release, word)).method and not c.problem
    ]
    if not will:
        return "leave `quantization` out"
    first, *rest = (f"`{word}`" for word in will)
    also = f" (or {', '.join(rest)})" if rest else ""
    return f"write `quantization: {first.strip('`')}`{also}, which it makes while it loads"


def _undone(context: Context, name: str, release: Release) -> str:
    """Say what would do for weights that are quantized otherwise than asked."""
    model, facts = context.spec.models[name], context.model_facts(name)
    own = model.image is not None
    if choose(None, facts, release.limits, release.pool, own_image=own).problem is not None:
        return "take the checkpoint that is not quantized: this one does not run here as it is"
    named = " or ".join(f"`{word}`" for word in (facts.words if facts else ()))
    return f"leave `quantization` out{f' or write {named}' if named else ''}, or take the checkpoint that is not quantized"


_UNLESS_IT_IS = "leave `quantization` out, if it is one already"


def _either(*ways: str | None) -> str:
    return "; or ".join(filter(None, ways))


def _formats(release: Release, word: str | None) -> str | None:
    """Say which checkpoints the engine loads on these GPUs for a word; None where there is none."""
    pool, wanted = release.pool, set(loadable(release.limits, word or ""))
    found = dict.fromkeys(
        title_of(method.format)
        for method in release.limits.methods
        if method.format in wanted and method.runs_on(pool.vendor, pool.sm, pool.arch)
    )
    if not found:
        return None
    *most, last = found
    return f"name a checkpoint in {', '.join(most)}{' or ' if most else ''}{last} as `source`"


def title_of(format: str | None) -> str:
    """Return how a format is called on the Hub."""
    base = (format or "").replace("w8a16-fp8", "w8a8-fp8").replace("p4a16", "p4")
    return _TITLES.get(base, base)


def _gpu(release: Release) -> str:
    pool = release.pool
    if pool.vendor == "nvidia":
        return f"compute capability {pool.capability}"
    return "a CPU" if pool.is_cpu else " ".join(filter(None, (pool.vendor.upper(), pool.arch)))


def _needs(candidates: tuple[Method, ...]) -> str:
    """Say what the engine's table names for this quantization."""
    found: dict[str, None] = {}
    for method in candidates:
        if method.nvidia is not None:
            least, greatest = (f"{sm // 10}.{sm % 10}" for sm in method.nvidia)
            bound = f" to {greatest}" if method.nvidia[1] < 999 else " or newer"
            found[f"NVIDIA {least}{'' if least == greatest else bound}"] = None
        if method.amd is not None:
            found[" ".join(("AMD", *method.amd))] = None
        if method.cpu:
            found["a CPU"] = None
    return " or ".join(found)


def _stated(context: Context, release: Release) -> Path:
    """Return where llm.yaml says what the GPUs are."""
    pool = context.spec.gpus[release.pool.name]
    key = "capability" if pool.capability is not None else "type" if pool.type is not None else "vendor"
    return ("gpus", release.pool.name, key)


def _remarks(release: Release, method: Method | None, path: Path) -> Iterator[Diagnostic]:
    """Say what is supported in part. That is not refused: saving memory may be all that is wanted."""
    pool = release.pool
    if method is None:
        return
    title = title_of(method.format) if method.format else method.word
    if (
        method.native is not None
        and pool.vendor == "nvidia"
        and pool.sm is not None
        and pool.sm < method.native
    ):
        message = f"on compute capability {pool.capability} {release.name} runs {title} weight-only: it saves memory, and no time"
        note = Note(f"source: {method.source}")
        yield Diagnostic("LD520", message, path, notes=(note,))
    if method.experts_only:
        message = (
            f"{release.name} makes {title} of the experts only: attention and shared layers stay as they are"
        )
        yield Diagnostic("LD521", message, path, notes=(Note(f"source: {method.source}"),))
