"""A model's neutral settings: those that llm.yaml states, and those that follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Path
from llmdeploy.engines.base import WEIGHTS, Adapter, Speculation
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.model import Why
from llmdeploy.plan.parallelism import tensor_size
from llmdeploy.plan.placement import per_node
from llmdeploy.plan.quantization import choose
from llmdeploy.plan.reasons import reasons
from llmdeploy.spec.model import Model

if TYPE_CHECKING:
    from llmdeploy.catalog import ModelFacts

DRAFTER_DIR = "/drafter"
ADAPTERS_DIR = "/adapters"
FILES_DIR = "/etc/llmdeploy"

CPU_FRACTION = 0.5
_CPU_KV_SHARE = 0.5


class Values(Struct, frozen=True):
    """Settings by name, where in llm.yaml each comes from, and why those are so that it does not state."""

    values: dict[str, Any]
    origins: dict[str, Path]
    why: list[Why]


def values_of(context: Context, name: str, pool: Hardware) -> Values:
    model = context.spec.models[name]
    facts, limits = context.model_facts(name), context.limits_of(name)
    flag = choose(model.quantization, facts, limits, pool, own_image=model.image is not None).flag
    values = {setting: value for setting, value, unsaid, _ in _stated(model) if value != unsaid}
    values |= _derived(name, model)
    if flag is not None:
        values["quantization"] = flag
    origins = _origins(model, ("models", name))
    why = [*_why(name, model), *reasons(model, facts, limits, pool, flag)]
    if model.context is None:
        why.append(Why("context", "unset", f"the engine takes {_own_length(context.engine_of(name), facts)}"))
    if pool.is_cpu:
        values["kv_bytes"], reason = _cpu_kv_bytes(context, model, pool)
        values.pop("memory_fraction", None)
        origins["kv_bytes"] = origins["memory_fraction"]
        why.append(reason)
    elif (beside := _beside_the_system(context, name, pool)) is not None:
        values["memory_fraction"] = pool.fraction
        why.append(beside)
    return Values(values, origins, why)


def _own_length(engine: str, facts: ModelFacts | None) -> str:
    if engine == "vllm" and facts and facts.unscaled_context:
        return f"the model's length before LongRoPE ({facts.unscaled_context} tokens)"
    return f"the model's own maximum{f' ({facts.max_context} tokens)' if facts and facts.max_context else ''}"


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
    constrained = model.structured_output
    yield "structured_output", constrained.is_on, True, ("structured_output",)
    # Which one, where there is one: `none` is said above.
    backend = constrained.backend if constrained.is_on else "auto"
    yield "grammar_backend", backend, "auto", ("structured_output", "backend")
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


def _derived(name: str, model: Model) -> dict[str, Any]:
    """Return the settings that are not as llm.yaml has them: a name by default, sizes, places in the container."""
    found: dict[str, Any] = {"served_names": tuple(model.served_names or (name,))}
    tensor = tensor_size(model)
    if tensor > 1 or model.parallel.tensor is not None:
        found["tensor"] = tensor
    if model.chat_template is not None:
        found["chat_template"] = f"{FILES_DIR}/chat-template.jinja"
    if model.speculative is not None:
        drafter = model.speculative.model
        place = None if drafter is None else drafter.hub or DRAFTER_DIR
        found["speculative"] = Speculation(model.speculative.method, model.speculative.tokens, place)
    if model.adapters:
        found["adapters"] = tuple(
            Adapter(
                key,
                adapter_dir(adapter.source.hub) if adapter.source.hub else f"{ADAPTERS_DIR}/{key}",
                adapter.rank,
            )
            for key, adapter in model.adapters.items()
        )
    return found


def adapter_dir(hub: str) -> str:
    """Return where an adapter of the Hub is put: an engine finds one by its directory, not all by its id."""
    return f"{WEIGHTS}/adapters/{hub}"


def _origins(model: Model, base: Path) -> dict[str, Path]:
    origins: dict[str, Path] = {"api_key": ("gateway", "auth")}
    origins |= {setting: (*base, *path) for setting, _, _, path in _stated(model)}
    if model.served_names is None:
        origins["served_names"] = base
    if _splits(model):
        origins["tensor"] = (*base, "gpus")
    return origins


def _why(name: str, model: Model) -> Iterator[Why]:
    if model.served_names is None:
        yield Why("served_names", name, "the key of the model")
    if _splits(model):
        yield Why("parallel.tensor", str(tensor_size(model)), "gpus.count / (pipeline × data)")


def _splits(model: Model) -> bool:
    """Tell whether a model is split over GPUs without saying so."""
    return model.parallel.tensor is None and tensor_size(model) > 1


def _beside_the_system(context: Context, name: str, pool: Hardware) -> Why | None:
    """Say why a share is pinned that llm.yaml does not state: no engine's own knows of an operating system beside it."""
    model, engine = context.spec.models[name], context.engines[context.engine_of(name)]
    stated = model.memory_fraction is not None or model.gpus.share is not None
    version = model.engine_version or engine.versions[0]
    taken = (engine.takes(each, version, pool.vendor) for each in ("memory_fraction", "static_fraction"))
    if pool.fraction is None or stated or not any(taken):
        return None
    seen = f"{pool.free_gib:g} of its {pool.memory_gib:g} GiB were seen free before anything starts"
    because = f"the memory of {pool.title} is the machine's, too: {seen}"
    return Why("memory_fraction", f"{pool.fraction:g}", because)


def _cpu_kv_bytes(context: Context, model: Model, pool: Hardware) -> tuple[int, Why]:
    """Pin the KV cache: an engine's default would claim most of the node's memory, other models included."""
    models = per_node(context.spec, pool)
    fraction = model.memory_fraction or CPU_FRACTION
    memory = pool.memory_gib or 0
    # Whole MiB, so that the figure reads well.
    size = int(memory * 1024 * fraction * _CPU_KV_SHARE / models) * (1 << 20)
    shared = f", shared by {models} models" if models > 1 else ""
    return size, Why(
        "kv_cache bytes",
        str(size),
        f"half of {fraction:g} × {memory:g} GiB{shared}; the other half is left to the weights (`memory_fraction` changes it)",
    )
