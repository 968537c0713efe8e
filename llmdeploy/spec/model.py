"""llm.yaml, version 1, as models. The published JSON Schema is generated from these classes.

Strict: no coercion, no unknown keys, no unions (their tags would leak into the paths of errors).
Defaults that depend on anything else are left None here and decided in `plan.resolve`.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from llmdeploy.diagnostics import Path
from llmdeploy.spec import forms
from llmdeploy.spec.architecture import Architecture
from llmdeploy.spec.entry import Entry
from llmdeploy.spec.forms import Short
from llmdeploy.spec.site import Gateway, Pool, Route, SecretRef, Storage
from llmdeploy.spec.targets import Targets
from llmdeploy.spec.types import (
    AdapterName,
    AnyText,
    Argument,
    Count,
    CountOrAuto,
    Duration,
    EnvName,
    Fraction,
    HubId,
    ImageName,
    Name,
    Text,
    Tokens,
    TokensOrAuto,
    Version,
    problem,
)

__all__ = [
    "Adapter",
    "Gateway",
    "Model",
    "ModelGpus",
    "Parallel",
    "Pool",
    "Route",
    "SecretRef",
    "Source",
    "Spec",
    "Storage",
    "StructuredOutput",
]

Quantization = Literal["none", "fp8", "int8", "int4", "awq", "gptq", "nvfp4", "mxfp4", "bitsandbytes", "gguf"]


class Source(Entry):
    """Where the weights are: exactly one of the three."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    hub: HubId | None = Field(None, description="Id on the Hugging Face Hub.", examples=["Qwen/Qwen3-8B"])
    path: Text | None = Field(
        None, description="Directory on the host, relative to llm.yaml.", examples=["./models/mine"]
    )
    openllm: Text | None = Field(None, description="OpenLLM model tag.", examples=["llama3.3:70b"])

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        given = [key for key in ("hub", "path", "openllm") if getattr(self, key) is not None]
        if len(given) != 1:
            found = f"not {' and '.join(f'`{key}`' for key in given)}" if given else "and none is given"
            raise problem(
                "LD106",
                f"a source is one of `hub`, `path` and `openllm`, {found}",
                'write `source: Qwen/Qwen3-8B`, `source: ./dir` or `source: {openllm: "llama3.3:70b"}`',
            )
        return self


class ModelGpus(Entry):
    pool: Text | None = Field(
        None, description="Pool of `gpus`; needed where there are several.", examples=["h100"]
    )
    count: Count = Field(1, description="GPUs of one replica.", examples=[4])
    share: Fraction | None = Field(
        None,
        description="Share of each of its GPUs, where several models use one (docker and Compose). Default: all of it.",
        examples=[0.6],
    )


class Parallel(Entry):
    """tensor × pipeline × data = gpus.count."""

    tensor: Count | None = Field(None, description="Default: what is left of gpus.count.")
    pipeline: Count = Field(1, description="Pipeline stages.")
    data: Count = Field(1, description="Data-parallel ranks inside one replica.")
    expert: bool = Field(False, description="Spread the experts of a mixture over the ranks.")


class KvCache(Entry):
    dtype: Literal["auto", "fp8", "fp8_e4m3", "fp8_e5m2", "bfloat16", "nvfp4"] = Field(
        "auto", description="Type of the cached keys and values."
    )


class StructuredOutput(Entry):
    """What holds answers to a JSON Schema or a grammar."""

    backend: Literal["auto", "xgrammar", "guidance", "outlines", "lm-format-enforcer", "none"] = Field(
        "auto",
        description="The library that does; `auto` leaves it to the engine, `none` is `structured_output: false`.",
        examples=["xgrammar"],
    )

    @property
    def is_on(self) -> bool:
        return self.backend != "none"


class Adapter(Entry):
    source: Annotated[Source, Short((str,), forms.source, {"type": "string"})] = Field(
        description="Hub id, or a directory on the host.", examples=["org/sql-lora", "./adapters/sql"]
    )
    rank: Count = Field(description="Rank of its matrices: `r` in its adapter_config.json.", examples=[16])


class Parser(Entry):
    parser: Text = Field(
        description="The parser's name, as vLLM or the engine spells it.", examples=["hermes"]
    )


class Speculative(Entry):
    """A draft of some tokens, which the model then verifies in one step."""

    method: Literal["ngram", "draft", "eagle", "eagle3", "mtp", "medusa"] = Field(
        description="What drafts: earlier text, a smaller model, a head of its own, or the model's own MTP layers."
    )
    tokens: Count = Field(description="Tokens of one draft.", examples=[4])
    model: Annotated[Source | None, Short((str,), forms.source, {"type": "string"})] = Field(
        None,
        description="The drafter; not for ngram, and for mtp only where its layers are a repository of their own.",
        examples=["org/draft-eagle3"],
    )

    @model_validator(mode="after")
    def _has_what_drafts(self) -> Self:
        if self.method in _DRAFTERS and self.model is None:
            raise problem(
                "LD106",
                f"`method: {self.method}` needs a `model` that drafts",
                "name it like `model: org/drafter`, or write `method: ngram`",
            )
        if self.method == "ngram" and self.model is not None:
            raise problem(
                "LD106",
                "`method: ngram` drafts from the text itself, without a `model`",
                "remove `model`, or write the method that it is made for, like `method: eagle3`",
            )
        return self


_DRAFTERS = ("draft", "eagle", "eagle3", "medusa")


class Multimodal(Entry):
    """Items that one prompt may have; a kind that is not named is left to the engine."""

    image: Annotated[int, Field(ge=0)] | None = Field(None, description="Images.", examples=[2])
    video: Annotated[int, Field(ge=0)] | None = Field(None, description="Videos.", examples=[0])
    audio: Annotated[int, Field(ge=0)] | None = Field(None, description="Pieces of audio.", examples=[0])


class Model(Entry):
    """One model, served by one engine."""

    source: Annotated[Source, Short((str,), forms.source, {"type": "string"})] = Field(
        description="Hub id, or a path that begins with `./`, `../`, `/` or `~/`.",
        examples=["Qwen/Qwen3-8B", {"openllm": "llama3.3:70b"}],
    )
    revision: Text | None = Field(None, description="Branch, tag or (better) commit of the Hub repository.")
    token: Text | None = Field(
        None, description="Secret that downloads it; only where gated or private.", examples=["hf-token"]
    )
    engine: Text | None = Field(
        None,
        description="Default: openllm for an OpenLLM tag, else vllm.",
        examples=["vllm", "tgi", "sglang", "openllm", "auto"],
    )
    engine_version: Text | None = Field(
        None, description="Default: the catalog's newest verified one.", examples=["0.33.0"]
    )
    image: ImageName | None = Field(None, description="Instead of the catalog's image.")
    gpus: Annotated[ModelGpus, Short((int,), lambda n: {"count": n}, {"type": "integer", "minimum": 1})] = (
        Field(
            ModelGpus.model_construct(),
            description="GPUs of one replica; a number where there is one pool.",
            examples=[4, {"pool": "h100", "count": 4}],
        )
    )
    parallel: Parallel = Field(
        Parallel.model_construct(),
        description="How the GPUs of a replica share the model.",
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto", description="Type of weights and activations."
    )
    quantization: Quantization | None = Field(None, description="Default: what the checkpoint is.")
    context: TokensOrAuto | None = Field(
        None,
        description="Tokens of one request, prompt and answer; `auto`: the most that fits. Default: the model's own maximum.",
        examples=[32768, "auto"],
    )
    concurrency: CountOrAuto | None = Field(
        None,
        description="Cap on requests that run at once; `auto`: as many as fit at full length.",
        examples=[64, "auto"],
    )
    batch_tokens: Tokens | None = Field(None, description="Tokens of one scheduler step.", examples=[8192])
    memory_fraction: Fraction | None = Field(
        None, description="Share of the whole card that the engine takes, in vLLM's meaning.", examples=[0.92]
    )
    kv_cache: KvCache = Field(KvCache.model_construct(), description="The KV cache.")
    prefix_caching: bool = Field(True, description="Reuse the KV cache of a common prefix.")
    structured_output: Annotated[StructuredOutput, Short((bool,), forms.constraint, {"type": "boolean"})] = (
        Field(
            StructuredOutput(backend="auto"),
            description="Answers constrained by a JSON Schema or grammar.",
            examples=[{"backend": "xgrammar"}, False],
        )
    )
    served_names: list[Text] | None = Field(
        None, min_length=1, description='What clients write in "model". Default: the key of this model.'
    )
    trust_remote_code: bool = Field(
        False, description="Run the repository's own code; needs a pinned revision."
    )
    task: Literal["generate", "embed"] = Field("generate", description="What is asked of the model.")
    adapters: dict[AdapterName, Adapter] | None = Field(None, description="LoRA adapters.")
    tools: Parser | None = Field(None, description="Tool calls.")
    reasoning: Parser | None = Field(None, description="Reasoning.")
    speculative: Speculative | None = Field(None, description="Speculative decoding.")
    chat_template: Text | None = Field(
        None, description="Jinja file, relative to llm.yaml.", examples=["./chat.jinja"]
    )
    multimodal: Multimodal | None = Field(None, description="Items per prompt.")
    replicas: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="Copies of the model.")
    env: dict[EnvName, AnyText] = Field(
        {},
        description="Further environment of the engine. Text or integers.",
        examples=[{"NCCL_DEBUG": "WARN"}],
    )
    engine_args: dict[Text, Argument] = Field(
        {},
        description="Further flags of the engine, by name without dashes; typed.",
        examples=[{"max-logprobs": 5}],
    )
    needs: list[Literal["throughput", "shared_prefixes", "structured_output", "huggingface"]] | None = Field(
        None,
        description="What `engine: auto` chooses by. Of several, the first in the order of this list decides.",
        examples=[["structured_output"]],
    )
    architecture: Architecture | None = Field(
        None,
        description="Facts of config.json, in its words, where it cannot be read. They win over the catalog.",
        examples=[{"num_attention_heads": 32, "num_key_value_heads": 8}],
    )
    ready_timeout: Duration | None = Field(
        None, description="Time from start to ready, download not included.", examples=["20m"]
    )

    def further_sources(self) -> Iterator[tuple[Path, Source]]:
        """Yield what is loaded beside the model (drafter, adapters), and where below it that stands."""
        if self.speculative and self.speculative.model:
            yield ("speculative", "model"), self.speculative.model
        for name, adapter in (self.adapters or {}).items():
            yield ("adapters", name, "source"), adapter.source


class Core(Entry):
    """One llm.yaml, without the options of its targets: most state none, and a validator of them all takes its time."""

    version: Version = Field(description="Version of this format.", examples=[1])
    name: Name = Field(description="Compose project, Kubernetes label, Helm release.", examples=["hybrid"])
    gpus: dict[Name, Pool] = Field(
        min_length=1,
        description="Pools of hardware.",
        examples=[{"h100": {"type": "h100-sxm-80gb", "count": 8}}],
    )
    secrets: dict[Name, SecretRef] = Field({}, description="References to credentials, never their values.")
    models: dict[Name, Model] = Field(
        min_length=1, description="The models.", examples=[{"chat": {"source": "Qwen/Qwen3-8B"}}]
    )
    routes: list[Route] = Field([], description="Which path reaches which model.")
    gateway: Gateway = Field(Gateway.model_construct(), description="The way in.")
    storage: Storage = Field(Storage.model_construct(), description="Where weights are kept.")


class Spec(Core):
    """One llm.yaml."""

    targets: Targets = Field(
        Targets.model_construct(), description="Options of each target, and which are built by default."
    )
