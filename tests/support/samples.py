"""What llm.yaml may say of each neutral setting, for the matrix of engines and settings.

`SAMPLES` is the one place: a setting that an engine's table has and this lacks fails a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, get_args

from llmdeploy import compile
from llmdeploy.catalog.flags import flag_table
from llmdeploy.compiler import Result
from llmdeploy.engines.table import Setting, Table
from llmdeploy.facts import Facts
from llmdeploy.facts.config import facts
from llmdeploy.memory.model import Model as CheckpointModel
from llmdeploy.spec.model import KvCache, Model, Quantization, Speculative, StructuredOutput
from support import specs

_SHAPE = {
    "hidden_size": 1024,
    "intermediate_size": 2048,
    "num_hidden_layers": 4,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 512,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}
_LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **_SHAPE}
_INT8 = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True},
            "input_activations": {
                "num_bits": 8,
                "type": "int",
                "strategy": "token",
                "dynamic": True,
                "symmetric": True,
            },
        }
    },
    "ignore": ["lm_head"],
}
#: config.json of what is served: it divides over 2 and 4 GPUs and two stages.
CHECKPOINTS: dict[str, dict[str, Any]] = {
    "org/dense": _LLAMA,
    "org/moe": {
        **_SHAPE,
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 512,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
    },
    "org/vision": {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "model_type": "gemma3",
        "torch_dtype": "bfloat16",
        "text_config": {"model_type": "gemma3_text", **_SHAPE},
        "vision_config": {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": 64,
        },
    },
    "org/awq": {
        **_LLAMA,
        "quantization_config": {
            "quant_method": "awq",
            "bits": 4,
            "group_size": 128,
            "zero_point": True,
            "version": "gemm",
        },
    },
    "org/gptq": {
        **_LLAMA,
        "quantization_config": {
            "quant_method": "gptq",
            "bits": 4,
            "group_size": 128,
            "desc_act": False,
            "sym": True,
        },
    },
    "org/nvfp4": {
        **_LLAMA,
        "quantization_config": {
            "quant_method": "modelopt",
            "quant_algo": "NVFP4",
            "group_size": 16,
            "exclude_modules": [],
            "ignore": [],
        },
    },
    "org/mxfp4": {**_LLAMA, "quantization_config": {"quant_method": "mxfp4"}},
    "org/int8": {**_LLAMA, "quantization_config": _INT8},
}
#: Pools that an engine's configuration check is asked about, and what they can do.
CAPABILITIES = {"h100-sxm-80gb": (9, 0), "b200-sxm-180gb": (10, 0)}
POOLS = tuple(CAPABILITIES)
#: Pools for which the command line alone is judged: the stand-ins are for NVIDIA's GPUs.
OTHERS = ("mi300x", "cpu")


@dataclass(frozen=True)
class Sample:
    """Something that a model of llm.yaml says. `checkpoint` is one that it can be said of.

    `described`: the configuration can be judged with this config.json alone.
    """

    model: Mapping[str, Any]
    checkpoint: str = "org/dense"
    pool: str = POOLS[0]
    described: bool = True
    settings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.model} of {self.checkpoint} on {self.pool}"


Samples = Callable[[Setting, str, str], Iterable[Sample]]
"""Of a row of an engine's table, the engine's name and its version."""


def _one(checkpoint: str = "org/dense", **model: Any) -> Samples:
    return lambda row, engine, version: [Sample(model, checkpoint)]


def _words(field: type[Any] | Any, *path: str) -> Samples:
    """Every word that llm.yaml has for it, but for the one that leaves it to the engine."""

    def samples(row: Setting, engine: str, version: str) -> Iterator[Sample]:
        for word in [each for each in get_args(field) if each != "auto"]:
            value: Any = word
            for key in reversed(path):
                value = {key: value}
            yield Sample(value)

    return samples


def _quantizations(row: Setting, engine: str, version: str) -> Iterator[Sample]:
    for pool in POOLS:
        for word in get_args(Quantization)[1:]:  # `none` says nothing to an engine
            # What is quantized while it is loaded, what is already so, and that said of it.
            for checkpoint in ("org/dense", "org/moe", f"org/{word}"):
                if checkpoint in CHECKPOINTS:
                    yield Sample({"quantization": word}, checkpoint, pool)


def _parsers(name: str) -> Samples:
    """Every parser of this version, and every other engine's name that the table translates."""

    def samples(row: Setting, engine: str, version: str) -> Iterator[Sample]:
        flags = flag_table(engine)
        known: Iterable[str] = ("hermes" if name == "tools" else "qwen3",)
        if flags is not None and row.flag is not None:
            flag = flags.find(row.flag, version)
            known = (
                flag.choices
                if flag and row.registry == "choices"
                else flags.registry(row.registry or "", version)
            )
        for word in [*known, *row.translated]:
            # A config.json has nothing to say to it.
            yield Sample({name: {"parser": word}}, described=False)

    return samples


def _speculations(row: Setting, engine: str, version: str) -> Iterator[Sample]:
    for method in get_args(Speculative.model_fields["method"].annotation):
        said = {"method": method, "tokens": 4}
        if method != "ngram":
            said["model"] = "org/draft"
        yield Sample({"speculative": said}, described=method == "ngram")


SAMPLES: dict[str, Samples] = {
    "served_names": _one(served_names=["one", "two"]),
    "revision": _one(revision="0123456789abcdef0123456789abcdef01234567"),
    "tensor": _one(parallel={"tensor": 2}),
    "pipeline": _one(parallel={"pipeline": 2}),
    "data": _one(parallel={"data": 2}),
    "expert": _one("org/moe", parallel={"tensor": 2, "expert": True}),
    "dtype": _words(Model.model_fields["dtype"].annotation, "dtype"),
    "quantization": _quantizations,
    "context": _one(context=8192),
    "concurrency": _one(concurrency=16),
    "batch_tokens": _one(batch_tokens=4096),
    "memory_fraction": _one(memory_fraction=0.8),
    "static_fraction": _one(memory_fraction=0.8),
    "kv_bytes": _one(memory_fraction=0.5),
    "kv_tokens": _one(gpus={"share": 0.5}),
    "kv_dtype": _words(KvCache.model_fields["dtype"].annotation, "kv_cache", "dtype"),
    "prefix_caching": _one(prefix_caching=False),
    "structured_output": _one(structured_output=False),
    "grammar_backend": _words(
        StructuredOutput.model_fields["backend"].annotation, "structured_output", "backend"
    ),
    "trust_remote_code": _one(trust_remote_code=True, revision="0123456789abcdef0123456789abcdef01234567"),
    "chat_template": _one(chat_template="./chat.jinja"),
    "embed": _one(task="embed"),
    "tools": _parsers("tools"),
    "reasoning": _parsers("reasoning"),
    "multimodal": _one("org/vision", multimodal={"image": 2}),
    "adapters": _one(
        adapters={"sql": {"source": "org/sql", "rank": 16}, "Code_v2.1": {"source": "org/code", "rank": 8}}
    ),
    "speculative": _speculations,
}


def alone(table: Table, version: str) -> Iterator[Sample]:
    """Every setting of an engine's table alone, in every value."""
    for name, row in table.settings.items():
        if row.in_version(version):
            for sample in SAMPLES[name](row, table.name, version):
                yield replace(sample, settings=(name,))
                if sample.pool == POOLS[0] and sample.described:
                    for pool in OTHERS:
                        yield replace(sample, settings=(name,), pool=pool, described=False)


def together(table: Table, version: str, compiles: Callable[[Sample], bool]) -> Iterator[Sample]:
    """A few samples in which every two settings meet that may: a covering array, made greedily.

    One value stands for a setting: the first that compiles. Two that llm.yaml may not state together are
    left out, and so are those that no checkpoint here has both of.
    """
    firsts: dict[str, Sample] = {}
    for sample in alone(table, version):
        if sample.pool == POOLS[0] and compiles(sample):
            firsts.setdefault(sample.settings[0], sample)
    left = {
        (one, other)
        for one, other in combinations(firsts, 2)
        if (both := joined(firsts[one], firsts[other])) and compiles(both)
    }
    while left:
        one, other = min(left)
        bundle = joined(firsts[one], firsts[other])
        assert bundle is not None
        for name in firsts:
            meets = any(pair in left for each in bundle.settings for pair in ((each, name), (name, each)))
            if name in bundle.settings or not meets:
                continue
            larger = joined(bundle, firsts[name])
            if larger is not None and compiles(larger):
                bundle = larger
        left -= {pair for each in combinations(bundle.settings, 2) for pair in (each, each[::-1])}
        yield bundle


def joined(one: Sample, other: Sample) -> Sample | None:
    """What says both; None where they speak of different checkpoints."""
    checkpoints = {one.checkpoint, other.checkpoint} - {"org/dense"}
    if len(checkpoints) > 1:
        return None
    return Sample(
        specs.merge(one.model, other.model),
        next(iter(checkpoints), "org/dense"),
        one.pool,
        True,  # `ngram` stands for speculative decoding: no config.json of a drafter is missing
        one.settings + other.settings,
    )


def compiled(engine: str, sample: Sample) -> Result:
    """Compile a model that says this, for an engine of `specs.ENGINES`."""
    sizes = sample.model.get("parallel", {})
    gpus = sizes.get("tensor", 1) * sizes.get("pipeline", 1) * sizes.get("data", 1)
    base = specs.spec(engine)
    pool = {"type": sample.pool, **({"memory": "64GiB"} if sample.pool == "cpu" else {"count": 8})}
    model = {**base["models"]["chat"], "gpus": gpus, **sample.model}
    if engine != "openllm":
        model["source"] = sample.checkpoint
    models = {"chat": model}
    if isinstance(model["gpus"], dict):  # a share is one beside others
        models["beside"] = {**base["models"]["chat"], "source": "org/dense", "gpus": {"share": 0.4}}
    spec = {
        **base,
        "gpus": {"pool": pool},
        "models": models,
    }
    known = {name: found for name, config in CHECKPOINTS.items() if (found := facts(config, name))}
    # So that what the ledger pins is among what is put to the engines.
    whole = {name: CheckpointModel(name, "config.json", config) for name, config in CHECKPOINTS.items()}
    beside = Facts(models=known, checkpoints=whole, files=specs.TEMPLATES)
    return compile(specs.yaml_of(spec), ("docker",), beside, emit=False)
