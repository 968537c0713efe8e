"""From a checked spec to the plan: every default is decided here, once, and says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from llmdeploy.checks.context import Context
from llmdeploy.checks.gateway import normal
from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.engines.base import Lowered, Settings
from llmdeploy.plan import crowding, fit, sharing, startup
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.model import (
    Gateway,
    Gpus,
    Mount,
    MountKind,
    Plan,
    Route,
    Secret,
    Service,
    Storage,
    TextFile,
    Why,
)
from llmdeploy.plan.placement import Devices, host_memory, place, pool_of
from llmdeploy.plan.reasons import driver
from llmdeploy.plan.settings import MODEL_DIR, settings_of
from llmdeploy.plan.values import ADAPTERS_DIR, DRAFTER_DIR, FILES_DIR
from llmdeploy.spec.model import Model, Spec


def resolve(context: Context, options: Mapping[str, Any]) -> tuple[Plan, list[Diagnostic]]:
    """Lower every model with its engine. The plan is only fit to be emitted where no finding is an error."""
    spec = context.spec
    findings: list[Diagnostic] = []
    devices = place(spec, dict(context.pools))
    secrets = {name: _secret(spec, name) for name in spec.secrets}
    services: list[Service] = []
    routes: list[Route] = []
    for name in spec.models:
        settings, why, ledger = settings_of(context, name, secrets)
        lowered = context.engines[context.engine_of(name)].lower(settings)
        findings += [*lowered.diagnostics, *fit.findings(context, name, ledger, _ways_out)]
        findings += sharing.findings(context, name, settings.values, ledger)
        findings += startup.findings(context, name, settings.startup)
        service = _service(context, name, settings, lowered, devices[name], why)
        services.append(replace(service, memory=ledger))
        routes += _routes(spec, name, lowered)
    for pool in context.pools.values():
        findings += crowding.findings(context, pool, _ways_to_seats)
    order = {normal(route.path): index for index, route in enumerate(spec.routes)}
    cache = spec.storage.cache
    plan = Plan(
        name=spec.name,
        services=tuple(services),
        routes=tuple(sorted(routes, key=lambda route: order[route.path])),
        gateway=Gateway(
            host=spec.gateway.host,
            tls_secret=spec.gateway.tls.secret if spec.gateway.tls else None,
            auth=secrets.get(spec.gateway.auth or ""),
            idle_timeout_s=spec.gateway.idle_timeout,
        ),
        storage=Storage(cache.path, cache.size, cache.storage_class, cache.access),
        secrets=tuple(secrets.values()),
        options=options,
        spec_dir=context.facts.spec_dir,
    )
    return plan, findings


def _ways_out(context: Context, name: str) -> list[str]:
    """Most models fit, and need none."""
    from llmdeploy.plan.ways_out import ways_out

    return ways_out(context, name)


def _ways_to_seats(context: Context, name: str) -> list[str]:
    from llmdeploy.plan.ways_to_seats import ways_to_seats

    return ways_to_seats(context, name)


def _secret(spec: Spec, name: str) -> Secret:
    ref = spec.secrets[name]
    kubernetes = (ref.kubernetes.name, ref.kubernetes.key) if ref.kubernetes else None
    return Secret(name, ref.env, kubernetes, ("secrets", name))


def _service(
    context: Context, name: str, settings: Settings, lowered: Lowered, devices: Devices, why: list[Why]
) -> Service:
    model = context.spec.models[name]
    pool = context.pools[pool_of(context.spec, name) or ""]
    files, mounts = _files(context, name, model)
    after = context.seating(pool).earlier(name) if devices else ()
    why = [*why, *_host_why(model, devices, after, settings.gpu_count), *lowered.why]
    return Service(
        name=name,
        origin=settings.origin,
        engine=context.engine_of(name),
        engine_version=settings.version,
        launch=lowered.launch,
        gpus=_gpus(pool, model, settings.gpu_count, devices, driver(context.limits_of(name), model, pool)),
        served_names=lowered.served_names or settings.values["served_names"],
        replicas=model.replicas,
        shm_gib=shm_gib(settings.gpu_count),
        probes=lowered.probes,
        drain=lowered.drain,
        ready_timeout_s=settings.ready_timeout_s,
        startup=settings.startup,
        user=lowered.user,
        mounts=(*lowered.mounts, *mounts),
        files=files,
        download=lowered.download,
        build=lowered.build,
        # The engine has the last word on a setting that both speak of.
        why=tuple({reason.setting: reason for reason in why}.values()),
        memory_gib=host_memory(context.spec, pool),
        structured_output=model.structured_output.is_on,
        prefix_caching=model.prefix_caching,
        reasons=model.reasoning is not None,
        task=model.task,
        adapter_names=lowered.adapter_names,
        api=lowered.api,
        after=after,
    )


def _host_why(model: Model, devices: Devices, after: tuple[str, ...], count: int) -> Iterator[Why]:
    """Yield why these GPUs of a host, after whom, and how much shared memory."""
    if any(devices):
        ids = "; ".join(",".join(replica) for replica in devices)
        order = "without overlap" if model.gpus.share is None else "each share on the first with room for it"
        yield Why("devices", ids, f"docker and Compose: in the order of llm.yaml, {order}")
    if after:
        yield Why(
            "start", f"after {', '.join(after)}", "they share a card, and each looks what is free on it"
        )
    exchange = f"for the exchange between {count} GPUs" if count > 1 else "for one worker"
    yield Why("shm", f"{shm_gib(count)} GiB", exchange)


def _gpus(pool: Hardware, model: Model, count: int, devices: Devices, driver: int | None) -> Gpus:
    return Gpus(
        pool=pool.name,
        vendor=pool.vendor,
        count=count,
        resource=pool.resource,
        devices=devices if any(devices) else (),
        products=pool.products,
        memory_gib=None if pool.is_cpu else pool.memory_gib,
        driver=driver,
        share=model.gpus.share,
    )


def shm_gib(gpus: int) -> int:
    """Return the size of /dev/shm: 2 GiB for one GPU, 8 for two to seven, 16 for eight and more."""
    return 2 if gpus <= 1 else 8 if gpus < 8 else 16


def _files(context: Context, name: str, model: Model) -> tuple[tuple[TextFile, ...], tuple[Mount, ...]]:
    files: tuple[TextFile, ...] = ()
    mounts: tuple[Mount, ...] = ()
    at: Path = ("models", name)
    if model.source.path is not None:
        mounts += (_directory(MODEL_DIR, model.source.path, (*at, "source")),)
    if model.speculative and model.speculative.model and model.speculative.model.path:
        mounts += (_directory(DRAFTER_DIR, model.speculative.model.path, (*at, "speculative", "model")),)
    for key, adapter in (model.adapters or {}).items():
        if adapter.source.path:
            origin = (*at, "adapters", key, "source")
            mounts += (_directory(f"{ADAPTERS_DIR}/{key}", adapter.source.path, origin),)
    text = context.facts.files.get(model.chat_template or "")
    if text is not None:
        file = TextFile(f"{name}-chat-template.jinja", text)
        files += (file,)
        mounts += (Mount(MountKind.FILE, f"{FILES_DIR}/chat-template.jinja", True, file.name),)
    return files, mounts


def _directory(target: str, source: str, origin: Path) -> Mount:
    return Mount(MountKind.MODEL, target, read_only=True, source=source, origin=origin)


def _routes(spec: Spec, name: str, lowered: Lowered) -> Iterator[Route]:
    for index, route in enumerate(spec.routes):
        if route.model == name:
            yield Route(normal(route.path), name, lowered.endpoints, ("routes", index))
