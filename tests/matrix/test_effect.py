"""No field of llm.yaml is without effect: something that runs changes, or a diagnostic says why nothing does.

The fields are those of the models, so a new one fails here until it has a row. Comments and hashes do not
count as a change, nor does what people read (README.md).
"""

from __future__ import annotations

import copy
import json
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from support import readback, specs

from llmdeploy.compiler import Result
from llmdeploy.diagnostics import Diagnostic
from llmdeploy.spec import shape
from llmdeploy.spec.model import Spec

Path = tuple[str | int, ...]

COMMIT = "a09a35458c702b33eeacc393d103063234e8bc28"
OTHER_COMMIT = "6f6073b423013f6a7d4d9f39144961bfbfbc386b"
KUBERNETES: dict[str, Any] = {
    "routing": "gateway-api",
    "node_selector": {"disk": "ssd"},
    "tolerations": [
        {"key": "team", "operator": "Equal", "value": "a", "effect": "NoExecute", "tolerationSeconds": 60}
    ],
    "gateway": {"name": "shared", "namespace": "gateways", "section": "web"},
    "patches": [
        {"kind": "Deployment", "name": "proj-chat", "patch": {"spec": {"revisionHistoryLimit": 1}}},
        {"kind": "Deployment", "patch": {"spec": {"paused": False}}},
    ],
}
BASE: dict[str, Any] = {
    "version": 1,
    "name": "proj",
    "gpus": {
        "h100": {"type": "h100-sxm-80gb", "count": 8},
        "odd": {"vendor": "nvidia", "memory": "48GiB", "capability": "8.9", "count": 4},
        "cpu": {"type": "cpu", "memory": "32GiB"},
    },
    "secrets": {
        **specs.SECRETS,
        "other": {"env": "OTHER", "kubernetes": {"name": "other", "key": "other"}},
    },
    "models": {
        "chat": {
            "source": {"hub": "Qwen/Qwen2.5-7B-Instruct"},
            "revision": COMMIT,
            "token": "hf-token",
            "engine": "vllm",
            "engine_version": "0.33.0",
            "gpus": {"pool": "h100", "count": 4},
            "context": 8192,
        },
        "odd": {"source": "Qwen/Qwen3-8B", "gpus": {"pool": "odd"}, "context": 8192},
        "small": {"source": "Qwen/Qwen2.5-0.5B-Instruct", "gpus": {"pool": "cpu"}, "context": 4096},
    },
    "routes": [
        {"path": "/chat", "model": "chat"},
        {"path": "/odd", "model": "odd"},
        {"path": "/small", "model": "small"},
    ],
    "gateway": {"host": "llm.example.com", "auth": "api-key"},
    "storage": {"cache": {"access": "ReadWriteMany"}},
    "targets": {"docker": {}, "compose": {}, "kubernetes": KUBERNETES, "helm": copy.deepcopy(KUBERNETES)},
}


@dataclass(frozen=True)
class Row:
    """A change of several fields at once, from a base in which `given` holds. None takes a field away."""

    change: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)


ONE_HOST = {"docker": {}, "compose": {}}
CLUSTER = {"kubernetes": {"routing": "none"}}
ROUTED = {"kubernetes": {"routing": "gateway-api"}}
ADAPTER = {"source": "org/sql", "rank": 16}
SPECULATIVE = {"method": "eagle3", "tokens": 4, "model": "org/draft"}
OTHER_SOURCES = {"path": "./other", "openllm": {"openllm": "qwen2.5-coder:7b"}}

MXFP4 = {"quant_method": "mxfp4"}
COMPRESSED = {"quant_method": "compressed-tensors"}
WEIGHTS = {"num_bits": 4, "type": "int", "group_size": 128}
W4A16 = {"weights": WEIGHTS}
SGLANG = {"models.chat.engine": "sglang", "models.chat.engine_version": None}
THIRDS = {"num_attention_heads": 6, "num_key_value_heads": 3, "intermediate_size": 192}
#: 28 heads over four GPUs, in groups of 128.
GROUPED = {
    "num_experts": 8,
    "moe_intermediate_size": 512,
    "num_attention_heads": 28,
    "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128},
}

#: A model that nobody knows but by these, on one card that does not hold as many requests as the engine would take.
DESCRIBED = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
SLIDING = {
    **DESCRIBED,
    "architectures": ["Gemma3ForCausalLM"],
    "layer_types": ["sliding_attention", "full_attention"] * 16,
    "sliding_window": 256,
}
EXPERTS = {
    **DESCRIBED,
    "architectures": ["Qwen2MoeForCausalLM"],
    "num_experts": 8,
    "moe_intermediate_size": 2048,
    "num_experts_per_tok": 2,
    "shared_expert_intermediate_size": 4096,
}
LATENT = {
    **DESCRIBED,
    "architectures": ["DeepseekV3ForCausalLM"],
    "num_hidden_layers": 61,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "n_routed_experts": 8,
    "moe_intermediate_size": 2048,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
}
FULL_CARD = {
    "models.chat.source": {"hub": "org/m"},
    "models.chat.gpus.count": 1,
    "models.chat.concurrency": "auto",
}


def weighed(key: str, value: Any, described: dict[str, Any], context: int = 1024) -> Row:
    """Return a row for a fact that only the memory rests on: as many requests of the context as fit are taken."""
    prefix = "models.chat.architecture"
    return Row({f"{prefix}.{key}": value}, {**FULL_CARD, "models.chat.context": context, prefix: described})


# Where a field stands -> what it is changed to, or a whole Row.
ROWS: dict[str, Any] = {
    "version": 2,
    "name": Row({"name": "other"}, {"targets": CLUSTER}),
    "gpus.h100.type": "h200-sxm-141gb",
    "gpus.h100.count": 6,
    "gpus.h100.nodes": Row(
        # Too little on one node, enough on two.
        {"gpus.h100.nodes": 1},
        {"gpus.h100.nodes": 2, "models.chat.replicas": 4, "targets": CLUSTER},
    ),
    "gpus.odd.vendor": "amd",
    "gpus.cpu.memory": "64GiB",
    "gpus.odd.capability": Row({"gpus.odd.capability": "7.5"}, {"models.odd.dtype": "bfloat16"}),
    "gpus.odd.resource": "nvidia.com/gpu.shared",
    "gpus.odd.devices": [12, 13, 14, 15],
    "secrets.hf-token.env": "ANOTHER",
    "secrets.hf-token.kubernetes.name": "another",
    "secrets.hf-token.kubernetes.key": "another",
    "models.chat.revision": OTHER_COMMIT,
    "models.chat.token": "other",
    "models.chat.engine_version": "0.32.0",
    "models.chat.image": "registry.example/own:1",
    "models.chat.gpus.count": 2,
    "models.chat.gpus.share": Row({"models.chat.gpus.share": 0.5}, {"targets": ONE_HOST}),
    "models.chat.parallel.expert": True,
    "models.chat.dtype": "float16",
    "models.chat.quantization": "fp8",
    "models.chat.context": 4096,
    "models.chat.concurrency": 7,
    "models.chat.batch_tokens": 2048,
    "models.chat.memory_fraction": 0.8,
    "models.chat.kv_cache.dtype": "fp8",
    "models.chat.prefix_caching": False,
    "models.chat.structured_output.backend": "guidance",
    "models.chat.served_names": ["one", "two"],
    "models.chat.tools.parser": "hermes",
    "models.chat.reasoning.parser": "qwen3",
    "models.chat.multimodal.image": 1,
    "models.chat.multimodal.video": 1,
    "models.chat.multimodal.audio": 1,
    "models.chat.chat_template": "./chat.jinja",
    "models.chat.replicas": 2,
    "models.chat.env": {"NCCL_DEBUG": "INFO"},
    "models.chat.engine_args": {"max-logprobs": 5},
    "models.chat.needs": Row(
        {"models.chat.needs": ["shared_prefixes"]},
        {"models.chat.engine": "auto", "models.chat.engine_version": None},
    ),
    # Facts change what is refused.
    "models.chat.architecture.model_type": Row(
        {"models.chat.architecture.model_type": "gemma2"},
        {"models.chat.architecture": {"model_type": "llama"}, "models.chat.dtype": "float16"},
    ),
    "models.chat.architecture.torch_dtype": Row(
        {"models.chat.architecture.torch_dtype": "float16"},
        {"models.chat.architecture": {"torch_dtype": "bfloat16", "quantization_config": MXFP4}},
    ),
    "models.chat.architecture.architectures": Row(
        {"models.chat.architecture.architectures": ["Qwen2_5_VLForConditionalGeneration"]},
        {"models.chat.architecture": {"architectures": ["Other"], "vision_config": {"num_heads": 6}}},
    ),
    "models.chat.architecture.vision_config.num_heads": Row(
        {"models.chat.architecture.vision_config.num_heads": 6},
        {
            "models.chat.architecture": {
                "architectures": ["Qwen2_5_VLForConditionalGeneration"],
                "vision_config": {"num_heads": 8},
            }
        },
    ),
    "models.chat.architecture.num_hidden_layers": Row(
        {"models.chat.architecture.num_hidden_layers": 1},
        {"models.chat.architecture": {"num_hidden_layers": 28}, "models.chat.parallel": {"pipeline": 2}},
    ),
    **{
        f"models.chat.architecture.{key}": Row(
            {f"models.chat.architecture.{key}": 1022}, {"models.chat.architecture": {key: 1024}}
        )
        for key in ("intermediate_size", "num_attention_heads")
    },
    "models.chat.architecture.vocab_size": Row(
        {"models.chat.architecture.vocab_size": 128},
        {"models.chat.architecture": {**THIRDS, "vocab_size": 192}, "models.chat.gpus.count": 3},
    ),
    "models.chat.architecture.num_key_value_heads": Row(
        {"models.chat.architecture.num_key_value_heads": 7},
        {"models.chat.architecture": {"num_key_value_heads": 4}},
    ),
    "models.chat.architecture.kv_lora_rank": Row(
        {"models.chat.architecture": {"num_key_value_heads": 7}},
        {"models.chat.architecture": {"num_key_value_heads": 7, "kv_lora_rank": 512}},
    ),
    **{
        f"models.chat.architecture.{key}": Row(
            {f"models.chat.architecture.{key}": wrong},
            {"models.chat.source": {"hub": "org/m"}, "models.chat.architecture": {**GROUPED, key: right}},
        )
        for key, right, wrong in (
            ("head_dim", 128, 16),
            ("hidden_size", 28 * 128, 28 * 16),
            ("moe_intermediate_size", 512, 256),
        )
    },
    **{
        f"models.chat.architecture.{key}": Row(
            {f"models.chat.architecture.{key}": 6},
            {"models.chat.architecture": {key: 8}, "models.chat.parallel": {"expert": True}, **SGLANG},
        )
        for key in ("num_experts", "num_local_experts", "n_routed_experts")
    },
    "models.chat.architecture.max_position_embeddings": Row(
        {"models.chat.architecture.max_position_embeddings": 4096},
        {"models.chat.architecture": {"max_position_embeddings": 8192}},
    ),
    **{
        f"models.chat.architecture.quantization_config.{key}": Row(
            {f"models.chat.architecture.quantization_config.{key}": wrong},
            {"models.chat.architecture": {**GROUPED, "quantization_config": {**given, key: right}}},
        )
        for key, right, wrong, given in (
            ("quant_method", "awq", "bitsandbytes", {}),
            ("group_size", 128, 1024, {"quant_method": "gptq", "bits": 4}),
            ("weight_block_size", [128, 128], [1024, 1024], {"quant_method": "fp8"}),
            ("config_groups", {"a": W4A16}, {"a": {"weights": {**WEIGHTS, "group_size": 1024}}}, COMPRESSED),
        )
    },
    "models.chat.architecture.tie_word_embeddings": weighed("tie_word_embeddings", True, DESCRIBED),
    "models.chat.architecture.layer_types": weighed("layer_types", ["full_attention"] * 32, SLIDING),
    "models.chat.architecture.sliding_window": weighed("sliding_window", 32768, SLIDING, 65536),
    "models.chat.architecture.num_kv_shared_layers": weighed("num_kv_shared_layers", 16, DESCRIBED),
    **{
        f"models.chat.architecture.{key}": weighed(key, other, EXPERTS)
        for key, other in (("num_experts_per_tok", 8), ("shared_expert_intermediate_size", 65536))
    },
    **{
        f"models.chat.architecture.{key}": weighed(key, other, LATENT)
        for key, other in (
            ("q_lora_rank", 16384),
            ("qk_nope_head_dim", 1024),
            ("qk_rope_head_dim", 512),
            ("v_head_dim", 1024),
            ("n_shared_experts", 8),
            ("first_k_dense_replace", 60),
        )
    },
    **{
        f"models.chat.architecture.quantization_config.{key}": weighed(
            f"quantization_config.{key}",
            ["re:.*mlp.*"] if key == "ignore" else ["mlp"],
            {**DESCRIBED, "quantization_config": {"quant_method": "fp8", key: ["lm_head"]}},
        )
        for key in ("ignore", "modules_to_not_convert")
    },
    "models.chat.architecture.quantization_config.quant_algo": Row(
        {"models.chat.architecture.quantization_config.quant_algo": "FP8"},
        {
            "models.chat.architecture": {"quantization_config": {"quant_algo": "NVFP4"}},
            "models.chat.quantization": "nvfp4",
        },
    ),
    "models.chat.architecture.quantization_config.bits": Row(
        {"models.chat.architecture.quantization_config.bits": 8},
        {
            "models.chat.architecture.quantization_config": {"quant_method": "gptq", "bits": 4},
            "models.chat.quantization": "int4",
        },
    ),
    "models.chat.ready_timeout": "50m",
    "routes.0.path": "/talk",
    "routes.0.model": "odd",
    "gateway.host": "other.example.com",
    "gateway.tls.secret": Row(
        {"gateway.tls.secret": "other"}, {"gateway.tls.secret": "llm-tls", "targets": ROUTED}
    ),
    "gateway.auth": "other",
    "gateway.idle_timeout": "15m",
    "storage.cache.path": "/srv/weights",
    "storage.cache.size": "1TiB",
    "storage.cache.class": "fast",
    "storage.cache.access": "ReadWriteOnce",
    "targets.docker.bind": "0.0.0.0",
    "targets.docker.port": 9000,
    "targets.compose.bind": "0.0.0.0",
    "targets.compose.port": 9000,
    "targets.compose.overrides": {"services": {"chat": {"mem_limit": "64g"}}},
    "models.chat.source.hub": "Qwen/Qwen2.5-Coder-7B-Instruct",
    "models.chat.source.path": Row(
        {"models.chat.source.path": "./b"},
        {
            "models.chat.source": {"path": "./a"},
            "models.chat.revision": None,
            "models.chat.token": None,
            "targets": ONE_HOST,
        },
    ),
    "models.chat.source.openllm": Row(
        {"models.chat.source": {"openllm": "qwen2.5-coder:3b"}},
        {
            "models.chat": {"source": {"openllm": "qwen2.5-coder:7b"}, "gpus": {"pool": "h100"}},
            "gateway.auth": None,
            "targets": ONE_HOST,
        },
    ),
    "models.chat.engine": Row({"models.chat.engine": "sglang"}, {"models.chat.engine_version": None}),
    "models.chat.gpus.pool": Row({"models.chat.gpus.pool": "odd"}, {"models.chat.gpus.count": 2}),
    "models.chat.parallel.tensor": Row(
        {"models.chat.parallel": {"tensor": 2, "pipeline": 2}}, {"models.chat.parallel": {"pipeline": 1}}
    ),
    "models.chat.parallel.pipeline": 2,
    "models.chat.parallel.data": 2,
    "models.chat.trust_remote_code": True,
    "models.chat.task": "embed",
    **dict.fromkeys(
        ("models.chat.adapters.sql.source.hub", "models.chat.adapters.sql.rank"),
        Row({"models.chat.adapters.sql": ADAPTER}),
    ),
    **{
        f"models.chat.adapters.sql.source.{kind}": Row(
            {"models.chat.adapters.sql": {**ADAPTER, "source": source}}, {"targets": ONE_HOST}
        )
        for kind, source in OTHER_SOURCES.items()
    },
    **{
        f"models.chat.speculative.model.{kind}": Row(
            {"models.chat.speculative.model": source},
            {"models.chat.speculative": SPECULATIVE, "targets": ONE_HOST},
        )
        for kind, source in (("hub", "org/other"), *OTHER_SOURCES.items())
    },
    "models.chat.speculative.method": Row(
        {"models.chat.speculative": {"method": "ngram", "tokens": 4}},
        {"models.chat.speculative": SPECULATIVE},
    ),
    "models.chat.speculative.tokens": Row(
        {"models.chat.speculative.tokens": 5}, {"models.chat.speculative": SPECULATIVE}
    ),
    "routes.0.by": Row({"routes.0": {"path": "/v1", "by": "model"}}),
}
FOR_CLUSTERS: dict[str, Any] = {
    "namespace": "elsewhere",
    "routing": "ingress",
    "ingress.class": "traefik",
    "gateway.class": Row({"gateway": {"class": "eg"}}, {"gateway": {}}),
    "gateway.port": Row({"gateway.port": 8000}, {"gateway": {"class": "traefik"}}),
    "gateway.tls_port": Row({"gateway.tls_port": 8443}, {"gateway": {"class": "traefik", "port": 8000}}),
    "gateway.name": "another",
    "gateway.namespace": "another",
    "gateway.section": "another",
    "node_selector": {"disk": "nvme"},
    "tolerations.0.key": "other",
    "tolerations.0.operator": Row(
        {"tolerations.0.operator": "Exists"}, {"tolerations": [{"key": "team", "operator": "Equal"}]}
    ),
    "tolerations.0.value": "b",
    "tolerations.0.effect": Row(
        {"tolerations.0.effect": "NoSchedule"}, {"tolerations": [{"key": "team", "effect": "NoExecute"}]}
    ),
    "tolerations.0.tolerationSeconds": 120,
    "runtime_class": "nvidia",
    "image_pull_secrets": ["registry"],
    "annotations": {"team": "ml"},
    "resources.cpu": 12,
    "resources.memory": "99GiB",
    "patches.0.kind": Row(
        {"patches.0.kind": "Service"},
        {"patches": [{"kind": "Deployment", "patch": {"metadata": {"annotations": {"a": "b"}}}}]},
    ),
    "patches.0.name": "proj-odd",
    "patches.0.patch": {"spec": {"revisionHistoryLimit": 2}},
}


def _below(prefix: str, value: Any) -> Any:
    if not isinstance(value, Row):
        return value
    change, given = ({f"{prefix}.{k}": v for k, v in part.items()} for part in (value.change, value.given))
    return Row(change, given)


for _target in ("kubernetes", "helm"):
    _prefix = f"targets.{_target}"
    ROWS |= {f"{_prefix}.{name}": _below(_prefix, value) for name, value in FOR_CLUSTERS.items()}


def test_every_field_has_a_row():
    rows = {abstract(path(row)) for row in ROWS}
    fields = set(walk(shape.Shape(model=Spec)))
    assert fields - rows == set(), "fields without a row"
    assert rows - fields == set(), "rows without a field"


@pytest.mark.parametrize("name", ROWS)
def test_field_has_an_effect(name, tmp_path):
    row = ROWS[name] if isinstance(ROWS[name], Row) else Row({name: ROWS[name]})
    base = edited(BASE, row.given)
    before = specs.compiled(base, base["targets"])
    assert before.ok, [(found.code, found.path, found.message) for found in before.diagnostics]
    changed = edited(base, row.change)
    after = specs.compiled(changed, changed["targets"])
    known = {(found.code, found.path) for found in before.diagnostics}
    said = [found for found in after.diagnostics if (found.code, found.path) not in known]
    assert any(speaks_of(found, path(name)) for found in said) or (
        after.ok and observed(before, name, tmp_path / "a") != observed(after, name, tmp_path / "b")
    ), [(found.code, found.path, found.message) for found in said]


def speaks_of(found: Diagnostic, field: Path) -> bool:
    """A diagnostic stands at the field or below it; what is not yet supported is refused as a whole."""
    if found.code == "LD110":
        return field[: len(found.path)] == found.path
    if found.path[: len(field)] == field:
        return True
    # Two parties can be at odds; the other one may be named by its mapping.
    return any(note.path and note.path in (field, field[:-1]) for note in found.notes)


def observed(result: Result, name: str, folder: pathlib.Path) -> Any:
    """What of the artifacts makes a difference: no comments, no hashes, no prose.

    A value of the chart is nothing until a template uses it, so for helm's own fields the chart is rendered.
    """
    assert result.plan
    texts = {
        artifact.path: _HASH.sub("#", _COMMENT.sub("", artifact.text))
        for artifact in result.artifacts
        if not artifact.path.startswith(("helm/", "README"))
    }
    if not name.startswith("targets.helm."):
        return texts
    specs.written(result, folder)
    objects = readback.rendered(
        result.plan, folder / "helm" / result.plan.name, "--namespace", _namespace(result)
    )
    return texts, _HASH.sub("#", json.dumps(objects, sort_keys=True))


_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_HASH = re.compile(r"\b(?:[0-9a-f]{8}|[0-9a-f]{12})\b")


def _namespace(result: Result) -> str:
    # The chart leaves it to `helm install -n`, which the README's commands say.
    (readme,) = (artifact.text for artifact in result.artifacts if artifact.path == "README.md")
    found = re.search(r"helm upgrade .*(?:-n|--namespace)[ =](\S+)", readme)
    return found[1] if found else "default"


def walk(place: shape.Shape, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field, with `*` for a name of the user's and for a position."""
    if place.model:
        for name, child in shape.fields(place.model).items():
            yield from walk(child, (*at, name))
    elif (inner := place.values or place.items) and inner.model:
        yield from walk(inner, (*at, "*"))
    else:
        yield at


def abstract(where: Path) -> tuple[str, ...]:
    """The field that a place belongs to."""
    place, names = shape.Shape(model=Spec), []
    for key in where:
        names.append("*" if place.model is None else str(key))
        child = place.child(key)
        assert child, where
        place = child
    return tuple(names)


def path(name: str) -> Path:
    return tuple(int(key) if key.isdigit() else key for key in name.split("."))


def edited(data: Any, changes: dict[str, Any]) -> Any:
    data = copy.deepcopy(data)
    for name, value in changes.items():
        *parents, last = path(name)
        at = data
        for key in parents:
            at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
        if value is None:
            del at[last]
        else:
            at[last] = copy.deepcopy(value)
    return data
