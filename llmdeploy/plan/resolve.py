"""From a checked spec to the plan: every default is decided here, once, and says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.checks.context import Context
from llmdeploy.checks.gateway import normal
from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.engines.base import WEIGHTS, Adapter, Lowered, Repository, Settings, Speculation
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
from llmdeploy.plan.parallelism import tensor_size
from llmdeploy.plan.placement import Devices, demand, place, pool_of
from llmdeploy.plan.quantization import choose
from llmdeploy.plan.reasons import driver, reasons
from llmdeploy.spec.model import Model, Spec

READY_TIMEOUT_S = 1800
"""Loading 140 GB from network storage at 0.2 GiB/s takes 12 minutes, compiling and capturing graphs up to 10."""

MODEL_DIR = "/model"
DRAFTER_DIR = "/drafter"
ADAPTERS_DIR = "/adapters"
FILES_DIR = "/etc/llmdeploy"

_CPU_FRACTION = 0.5
_CPU_KV_SHARE = 0.5
_CPU_SERVICE_SHARE = 0.75
"""Of a node's memory; Kubernetes and the system hold back the rest, and a Pod that asks for all never starts."""


def resolve(context: Context, options: Mapping[str, Any]) -> tuple[Plan, list[Diagnostic]]:
    """Lower every model with its engine. The plan is only fit to be emitted where no finding is an error."""
    spec = context.spec
    findings: list[Diagnostic] = []
    devices = place(spec, dict(context.pools))
    secrets = {name: _secret(spec, name) for name in spec.secrets}
    services: list[Service] = []
    routes: list[Route] = []
    for name in spec.models:
        settings, why = _settings(context, name, secrets)
        lowered = context.engines[context.engine_of(name)].lower(settings)
        findings += lowered.diagnostics
        services.append(_service(context, name, settings, lowered, devices[name], why))
        routes += _routes(spec, name, lowered)
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


def _secret(spec: Spec, name: str) -> Secret:
    ref = spec.secrets[name]
    kubernetes = (ref.kubernetes.name, ref.kubernetes.key) if ref.kubernetes else None
    return Secret(name, ref.env, kubernetes, ("secrets", name))


def _settings(context: Context, name: str, secrets: Mapping[str, Secret]) -> tuple[Settings, list[Why]]:
    spec, model = context.spec, context.spec.models[name]
    engine = context.engines[context.engine_of(name)]
    pool = context.pools[pool_of(spec, name) or ""]
    version = model.engine_version or engine.versions[0]
    values, origins, why = _values(context, name, pool)
    if model.engine is None:
        why.append(Why("engine", engine.name, "the default for a source of this kind"))
    if model.engine_version is None:
        why.append(
            Why("engine_version", engine.versions[0], "the newest version that the catalog has verified")
        )
    ready = model.ready_timeout or READY_TIMEOUT_S
    if model.ready_timeout is None:
        why.append(
            Why(
                "ready_timeout",
                f"{ready}s",
                "room to read large weights and to compile; set `ready_timeout` to change it",
            )
        )
    source = model.source
    kind = "openllm" if source.openllm else "path" if source.path else "hub"
    return (
        Settings(
            name=name,
            origin=("models", name),
            version=version,
            source=kind,
            model=MODEL_DIR if source.path else context.hub_id(name) or "",
            values=values,
            origins=origins,
            vendor=pool.vendor,
            arch=pool.arch,
            gpu_count=0 if pool.is_cpu else model.gpus.count,
            image=model.image,
            engine_args=model.engine_args,
            env=model.env,
            ready_timeout_s=ready,
            token=secrets.get(model.token or ""),
            api_key=secrets.get(spec.gateway.auth or ""),
            openllm_tag=source.openllm,
            further=tuple(_further(model)),
        ),
        why,
    )


def _further(model: Model) -> Iterator[Repository]:
    """Yield what must be fetched beside the model: a drafter like the model itself, adapters by directory."""
    if model.speculative and model.speculative.model and model.speculative.model.hub:
        yield Repository(model.speculative.model.hub)
    for adapter in (model.adapters or {}).values():
        if adapter.source.hub:
            yield Repository(adapter.source.hub, _adapter_dir(adapter.source.hub))


def _adapter_dir(hub: str) -> str:
    """Return where an adapter of the Hub is put: an engine finds one by its directory, not all by its id."""
    return f"{WEIGHTS}/adapters/{hub}"


def _values(context: Context, name: str, pool: Hardware) -> tuple[dict[str, Any], dict[str, Path], list[Why]]:
    """Return the neutral settings that are stated or derived, where each comes from, and why."""
    model = context.spec.models[name]
    base: Path = ("models", name)
    values: dict[str, Any] = {}
    origins: dict[str, Path] = {"api_key": ("gateway", "auth")}
    why: list[Why] = []
    for field, value, default, path in _stated(model):
        origins[field] = (*base, *path)
        if value != default:
            values[field] = value
    values["served_names"] = tuple(model.served_names or (name,))
    if model.served_names is None:
        origins["served_names"] = base
        why.append(Why("served_names", name, "the key of the model"))
    tensor = tensor_size(model)
    if tensor > 1 or model.parallel.tensor is not None:
        values["tensor"] = tensor
        if model.parallel.tensor is None:
            origins["tensor"] = (*base, "gpus")
            why.append(Why("parallel.tensor", str(tensor), "gpus.count / (pipeline × data)"))
    if model.chat_template is not None:
        values["chat_template"] = f"{FILES_DIR}/chat-template.jinja"
    if model.speculative is not None:
        drafter = model.speculative.model
        place = None if drafter is None else drafter.hub or DRAFTER_DIR
        values["speculative"] = Speculation(model.speculative.method, model.speculative.tokens, place)
    if model.adapters:
        values["adapters"] = tuple(
            Adapter(
                key,
                _adapter_dir(adapter.source.hub) if adapter.source.hub else f"{ADAPTERS_DIR}/{key}",
                adapter.rank,
            )
            for key, adapter in model.adapters.items()
        )
    facts = context.model_facts(name)
    limits = context.limits_of(name)
    own = model.image is not None
    flag = choose(model.quantization, facts, limits, pool, own_image=own).flag
    if flag is not None:
        values["quantization"] = flag
    why += reasons(model, facts, limits, pool, flag)
    if model.context is None:
        longest = f" ({facts.max_context} tokens)" if facts and facts.max_context else ""
        why.append(Why("context", "unset", f"the engine takes the model's own maximum{longest}"))
    if pool.is_cpu:
        values["kv_bytes"], reason = _cpu_kv_bytes(context, model, pool)
        values.pop("memory_fraction", None)
        origins["kv_bytes"] = origins["memory_fraction"]
        why.append(reason)
    return values, origins, why


def _stated(model: Model) -> Iterator[tuple[str, Any, Any, Path]]:
    """Yield (setting, value, the value that needs no flag, path below the model)."""
    yield "revision", model.revision, None, ("revision",)
    yield "served_names", None, None, ("served_names",)
    yield "tensor", None, None, ("parallel", "tensor")
    yield "pipeline", model.parallel.pipeline, 1, ("parallel", "pipeline")
    yield "data", model.parallel.data, 1, ("parallel", "data")
    yield "expert", model.parallel.expert, False, ("parallel", "expert")
    yield "dtype", model.dtype, "auto", ("dtype",)
    yield "quantization", None, None, ("quantization",)
    yield "context", model.context, None, ("context",)
    yield "concurrency", model.concurrency, None, ("concurrency",)
    yield "batch_tokens", model.batch_tokens, None, ("batch_tokens",)
    yield "memory_fraction", model.memory_fraction, None, ("memory_fraction",)
    yield "kv_dtype", model.kv_cache.dtype, "auto", ("kv_cache", "dtype")
    yield "prefix_caching", model.prefix_caching, True, ("prefix_caching",)
    yield "structured_output", model.structured_output, True, ("structured_output",)
    yield "trust_remote_code", model.trust_remote_code, False, ("trust_remote_code",)
    yield "chat_template", None, None, ("chat_template",)
    yield "embed", model.task == "embed", False, ("task",)
    yield "tools", model.tools and model.tools.parser, None, ("tools", "parser")
    yield "reasoning", model.reasoning and model.reasoning.parser, None, ("reasoning", "parser")
    yield "multimodal", _items(model), {}, ("multimodal",)
    yield "adapters", None, None, ("adapters",)
    yield "speculative", None, None, ("speculative",)


def _items(model: Model) -> dict[str, int]:
    stated = model.multimodal.model_dump(exclude_none=True) if model.multimodal else {}
    return {kind: int(items) for kind, items in stated.items()}


def _cpu_kv_bytes(context: Context, model: Model, pool: Hardware) -> tuple[int, Why]:
    """Pin the KV cache: an engine's default would claim most of the node's memory, other models included."""
    sharing = _sharing(context, pool)
    fraction = model.memory_fraction or _CPU_FRACTION
    memory = pool.memory_gib or 0
    # Whole MiB, so that the figure reads well.
    size = int(memory * 1024 * fraction * _CPU_KV_SHARE / sharing) * (1 << 20)
    shared = f", shared by {sharing} models" if sharing > 1 else ""
    return size, Why(
        "kv_cache bytes",
        str(size),
        f"half of {fraction:g} × {memory:g} GiB{shared}; the other half is left to the weights (`memory_fraction` changes it)",
    )


def _sharing(context: Context, pool: Hardware) -> int:
    """Return how many replicas one node of a CPU pool runs."""
    return -(-sum(demand(context.spec)[pool.name].values()) // pool.nodes)


def _host_memory(context: Context, pool: Hardware) -> float | None:
    """Return the GiB of a CPU node that one replica may take; the system needs some, too."""
    if not pool.is_cpu or pool.memory_gib is None:
        return None
    return pool.memory_gib * _CPU_SERVICE_SHARE / _sharing(context, pool)


def _service(
    context: Context, name: str, settings: Settings, lowered: Lowered, devices: Devices, why: list[Why]
) -> Service:
    model = context.spec.models[name]
    pool = context.pools[pool_of(context.spec, name) or ""]
    files, mounts = _files(context, name, model)
    count = settings.gpu_count
    if any(devices):
        ids = "; ".join(",".join(replica) for replica in devices)
        why.append(Why("devices", ids, "docker and Compose: in the order of llm.yaml, without overlap"))
    shm = shm_gib(count)
    why.append(
        Why("shm", f"{shm} GiB", f"for the exchange between {count} GPUs" if count > 1 else "for one worker")
    )
    return Service(
        name=name,
        origin=settings.origin,
        engine=context.engine_of(name),
        engine_version=settings.version,
        launch=lowered.launch,
        gpus=_gpus(pool, count, devices, driver(context.limits_of(name), model, pool)),
        served_names=lowered.served_names or settings.values["served_names"],
        replicas=model.replicas,
        shm_gib=shm,
        probes=lowered.probes,
        drain=lowered.drain,
        ready_timeout_s=settings.ready_timeout_s,
        user=lowered.user,
        mounts=(*lowered.mounts, *mounts),
        files=files,
        download=lowered.download,
        build=lowered.build,
        # The engine has the last word on a setting that both speak of.
        why=tuple({reason.setting: reason for reason in (*why, *lowered.why)}.values()),
        memory_gib=_host_memory(context, pool),
        structured_output=model.structured_output,
        reasons=model.reasoning is not None,
        task=model.task,
        adapter_names=lowered.adapter_names,
        api=lowered.api,
    )


def _gpus(pool: Hardware, count: int, devices: Devices, driver: int | None) -> Gpus:
    return Gpus(
        pool=pool.name,
        vendor=pool.vendor,
        count=count,
        resource=pool.resource,
        devices=devices if any(devices) else (),
        products=pool.products,
        memory_gib=None if pool.is_cpu else pool.memory_gib,
        driver=driver,
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
