"""One model of a checked spec as `Settings`, whatever its engine makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmdeploy.checks.context import Context
from llmdeploy.engines.base import Repository, Settings
from llmdeploy.memory.model import Ledger
from llmdeploy.plan import startup
from llmdeploy.plan.model import Secret, Why
from llmdeploy.plan.placement import pool_of
from llmdeploy.plan.sizing import size
from llmdeploy.plan.values import adapter_dir, values_of
from llmdeploy.spec.model import Model, Source

MODEL_DIR = "/model"


def settings_of(
    context: Context, name: str, secrets: Mapping[str, Secret]
) -> tuple[Settings, list[Why], Ledger | None]:
    """Return a model's settings, why the derived ones are so, and its ledger."""
    spec, model = context.spec, context.spec.models[name]
    engine = context.engines[context.engine_of(name)]
    pool, source = context.pools[pool_of(spec, name) or ""], model.source
    stated = values_of(context, name, pool)
    sized = size(context, name, stated.values, pool)
    expected = startup.startup(context, name, pool)
    settings = Settings(
        name=name,
        origin=("models", name),
        version=model.engine_version or engine.versions[0],
        source=_kind(source),
        model=MODEL_DIR if source.path else context.hub_id(name) or "",
        values={key: value for key, value in {**stated.values, **sized.values}.items() if value is not None},
        origins=stated.origins,
        vendor=pool.vendor,
        arch=pool.arch,
        gpu_count=0 if pool.is_cpu else model.gpus.count,
        image=model.image,
        engine_args=model.engine_args,
        env=model.env,
        ready_timeout_s=model.ready_timeout or expected.ready_limit_s,
        token=secrets.get(model.token or ""),
        api_key=secrets.get(spec.gateway.auth or ""),
        openllm_tag=source.openllm,
        further=tuple(_further(model)),
        startup=expected,
    )
    waits = startup.why(expected, stated=model.ready_timeout is not None, fetches=source.path is None)
    return settings, [*stated.why, *sized.why, *_engine_why(context, name), *waits], sized.ledger


def _kind(source: Source) -> str:
    return "openllm" if source.openllm else "path" if source.path else "hub"


def _engine_why(context: Context, name: str) -> Iterator[Why]:
    model, engine = context.spec.models[name], context.engines[context.engine_of(name)]
    if model.engine is None:
        yield Why("engine", engine.name, "the default for a source of this kind")
    elif name in context.choices:
        yield from context.choices[name].why()
    if model.engine_version is None:
        yield Why("engine_version", engine.versions[0], "the newest version that the catalog has verified")


def _further(model: Model) -> Iterator[Repository]:
    """Yield what must be fetched beside the model: a drafter like the model itself, adapters by directory."""
    if model.speculative and model.speculative.model and model.speculative.model.hub:
        yield Repository(model.speculative.model.hub)
    for adapter in (model.adapters or {}).values():
        if adapter.source.hub:
            yield Repository(adapter.source.hub, adapter_dir(adapter.source.hub))
