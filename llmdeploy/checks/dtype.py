"""Can GPU, model and quantization work with the type of activations?"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from llmdeploy.checks.architecture import notes
from llmdeploy.checks.context import Context
from llmdeploy.checks.engines import Release, has_code, release_of
from llmdeploy.checks.quantization import choice_of, title_of
from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.reasons import has_bfloat16


def check(context: Context) -> Iterator[Diagnostic]:
    for name in context.spec.models:
        release = release_of(context, name)
        if release is not None and has_code(release):
            found = _on_gpu(context, name, release.pool) or _of_model(context, name, release)
            found = found or _of_quantization(context, name, release)
            if found is not None:
                stated = notes(context, name, "model_type", "torch_dtype", "quantization_config")
                yield replace(found, notes=(*found.notes, *stated))


def _on_gpu(context: Context, name: str, pool: Hardware) -> Diagnostic | None:
    if context.spec.models[name].dtype != "bfloat16" or has_bfloat16(pool):
        return None
    stated = ("gpus", pool.name, "type" if context.spec.gpus[pool.name].capability is None else "capability")
    return Diagnostic(
        "LD334",
        f"the GPUs of `{pool.name}` have compute capability {pool.capability}, bfloat16 needs 8.0",
        ("models", name, "dtype"),
        "write `dtype: float16`",
        (Note("the GPU", stated),),
    )


def _of_model(context: Context, name: str, release: Release) -> Diagnostic | None:
    facts, stated = context.model_facts(name), context.spec.models[name].dtype
    if facts is None or stated != "float16" or facts.model_type not in release.limits.no_float16:
        return None
    other = "bfloat16" if has_bfloat16(release.pool) else "float32"
    message = f"{release.name} refuses float16 for `{facts.model_type}` models: it is too narrow for them"
    return Diagnostic("LD334", message, ("models", name, "dtype"), f"write `dtype: {other}`")


def _of_quantization(context: Context, name: str, release: Release) -> Diagnostic | None:
    """`auto` is the type that config.json states."""
    model, facts = context.spec.models[name], context.model_facts(name)
    method = choice_of(context, name, release).method
    if method is None:
        return None
    path: Path = ("models", name, "dtype")
    title = title_of(method.format) if method.format else method.word
    stated = model.dtype if model.dtype != "auto" else None
    if stated is not None and method.auto_dtype:
        note = Note("quantized here", ("models", name, "quantization" if model.quantization else "source"))
        message = f"{release.title} takes no `dtype` together with quantized weights ({title})"
        return Diagnostic("LD106", message, path, "leave `dtype` out", (note,))
    dtype = stated or (facts.dtype if facts else None)
    if not method.dtypes or dtype is None or dtype in method.dtypes:
        return None
    whose = "" if stated else f", which the config.json of `{name}` asks for"
    message = f"{release.name} runs {title} in {' or '.join(method.dtypes)}, not in {dtype}{whose}"
    return Diagnostic("LD334", message, path, f"write `dtype: {method.dtypes[0]}`")
