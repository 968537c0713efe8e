"""Does any kernel of the engine read a KV cache of the type that is asked for, on these GPUs and of this model?"""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.architecture import notes
from llmdeploy.checks.context import Context
from llmdeploy.checks.engines import Release, has_code, release_of
from llmdeploy.diagnostics import Diagnostic


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        dtype = model.kv_cache.dtype
        if dtype == "auto" or (release := release_of(context, name)) is None or not has_code(release):
            continue
        if dtype in release.limits.caches and release.pool.vendor == "nvidia":
            yield from _unread(context, name, dtype, release)


def _unread(context: Context, name: str, dtype: str, release: Release) -> Iterator[Diagnostic]:
    path = ("models", name, "kv_cache", "dtype")
    rows, major = release.limits.caches[dtype], (release.pool.sm or 0) // 10
    heads = {size for row in rows if not major or major in row.capabilities for size in row.heads}
    if not heads:
        here = sorted({each for row in rows for each in row.capabilities})
        message = (
            f"{release.name} reads a KV cache of {dtype} on GPUs of compute capability "
            f"{', '.join(f'{each}.x' for each in here)}, and those of `{release.pool.name}` have {release.pool.capability}"
        )
        yield Diagnostic("LD549", message, path, "leave `kv_cache.dtype` out")
        return
    facts = context.model_facts(name)
    if facts is None:
        return
    if facts.kv_lora_rank:
        message = f"{release.name} keeps no latent attention in {dtype}, and `{name}` has that"
    elif facts.head_dim and facts.head_dim not in heads:
        sizes = ", ".join(map(str, sorted(heads)))
        message = f"{release.name} reads {dtype} of heads of {sizes} elements here, and those of `{name}` have {facts.head_dim}"
    else:
        return
    yield Diagnostic(
        "LD549",
        message,
        path,
        "write `kv_cache: {dtype: fp8}`",
        notes(context, name, "head_dim", "kv_lora_rank"),
    )
