"""Does the engine's image have code for the GPU?"""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.checks.engines import has_code, or_engine, others, release_of
from llmdeploy.diagnostics import Diagnostic, Note


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        release = release_of(context, name)
        # An image of one's own may be built for other GPUs.
        if release is None or has_code(release) or model.image is not None:
            continue
        cuda, pool = release.limits.cuda, release.pool
        assert cuda is not None  # it has code for everything otherwise
        least = f"{cuda.lowest // 10}.{cuda.lowest % 10}"
        bound = f" to {cuda.highest // 10}.{cuda.highest % 10}" if cuda.highest is not None else " or newer"
        capability = context.spec.gpus[pool.name].capability
        note = Note("the GPUs", ("gpus", pool.name, "type" if capability is None else "capability"))
        able = or_engine(others(context, release, lambda other: True))
        yield Diagnostic(
            "LD335",
            f"{release.name} (CUDA {cuda.version}) runs on compute capability {least}{bound}, "
            f"the GPUs of `{pool.name}` have {pool.capability}",
            ("models", name, "engine" if model.engine is not None else "gpus"),
            f"take other GPUs, or name an `image` that is built for these{able}",
            (note,),
        )
