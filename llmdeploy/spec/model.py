"""llm.yaml, version 1, as models. The published JSON Schema is generated from these classes.

Strict: no coercion, no unknown keys, no unions (their tags would leak into the paths of errors).
Defaults that depend on anything else are left None here and decided in `plan.resolve`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmdeploy.diagnostics.suggest import listed
from llmdeploy.spec import forms
from llmdeploy.spec.forms import Short
from llmdeploy.spec.targets import Targets
from llmdeploy.spec.types import (
    AnyText,
    Argument,
    Capability,
    Count,
    Duration,
    EnvName,
    Fraction,
    HostName,
    HubId,
    Json,
    Name,
    RoutePath,
    Size,
    Text,
    Tokens,
    Version,
    problem,
)

Quantization = Literal["none", "fp8", "int8", "int4", "awq", "gptq", "nvfp4", "mxfp4", "bitsandbytes", "gguf"]


class Entry(BaseModel):
    """The base of every mapping in llm.yaml."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, frozen=True, protected_namespaces=()
    )


class Pool(Entry):
    """Hardware of one kind. One replica of a model is placed on one pool."""

    type: Text | None = Field(
        None, description="Id of a GPU in the catalog, in any case.", examples=["h100-sxm-80gb", "cpu"]
    )
    count: Count | None = Field(None, description="GPUs in one node. Not for a CPU pool.", examples=[8])
    nodes: Count = Field(1, description="Nodes of this kind. docker and Compose use one.")
    vendor: Literal["nvidia", "amd"] | None = Field(None, description="For hardware that the catalog lacks.")
    memory: Size | None = Field(
        None,
        description="Memory of one GPU or slice that the catalog does not know; of the node on a CPU pool.",
        examples=["48GiB"],
    )
    capability: Capability | None = Field(
        None, description="CUDA compute capability, for hardware that the catalog lacks.", examples=["8.9"]
    )
    resource: Text | None = Field(
        None, description="Kubernetes resource of one GPU or slice.", examples=["nvidia.com/mig-1g.10gb"]
    )
    devices: list[Text] | None = Field(
        None,
        min_length=1,
        description="Only these of a shared host (docker, Compose): indexes or UUIDs.",
        examples=[[4, 5]],
    )

    @model_validator(mode="after")
    def _is_known_or_declared(self) -> Self:
        if self.type is None:
            wanted = ["vendor", "memory"] + ["capability"] * (self.vendor == "nvidia")
            absent = [key for key in wanted if getattr(self, key) is None]
            if absent:
                raise problem(
                    "LD106",
                    f"a pool needs `type`, or `vendor` and `memory` of its GPUs; {listed(absent)} is absent",
                    "write `type: h100-sxm-80gb`, or declare the hardware: "
                    '`{vendor: nvidia, memory: 48GiB, capability: "8.9"}`',
                )
        if self.count is None and (self.type is None or self.type.lower() != "cpu"):
            raise problem(
                "LD102", "a pool of GPUs lacks `count`", "add `count: 8`, the GPUs in one node", ("count",)
            )
        return self


class KubernetesSecret(Entry):
    """A key of a Secret in the namespace of the deployment."""

    name: Name = Field(description="Name of the Secret.", examples=["hf-token"])
    key: Text = Field(description="Key in it.", examples=["token"])


class SecretRef(Entry):
    """Where a credential is found when something runs. A value never stands here."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    env: EnvName | None = Field(
        None, description="Environment variable on docker and Compose hosts.", examples=["HF_TOKEN"]
    )
    kubernetes: KubernetesSecret | None = Field(None, description="Secret on Kubernetes.")

    @model_validator(mode="after")
    def _refers_to_something(self) -> Self:
        if self.env is None and self.kubernetes is None:
            raise problem("LD106", "a secret needs `env`, `kubernetes` or both", "write `{env: HF_TOKEN}`")
        return self


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


class Parallel(Entry):
    """tensor × pipeline × data = gpus.count."""

    tensor: Count | None = Field(None, description="Default: what is left of gpus.count.")
    pipeline: Count = Field(1, description="Pipeline stages.")
    data: Count = Field(1, description="Data-parallel ranks inside one replica.")
    expert: bool = Field(False, description="Spread the experts of a mixture over the ranks.")


class KvCache(Entry):
    dtype: Literal["auto", "fp8", "fp8_e4m3", "fp8_e5m2", "bfloat16"] = Field(
        "auto", description="Type of the cached keys and values."
    )


class Adapter(Entry):
    source: Annotated[Source, Short((str,), forms.source, {"type": "string"})]
    rank: Count


class Parser(Entry):
    parser: Text


class Speculative(Entry):
    method: Text
    tokens: Count
    model: Text | None = None


class Multimodal(Entry):
    image: Annotated[int, Field(ge=0)] = 0
    video: Annotated[int, Field(ge=0)] = 0
    audio: Annotated[int, Field(ge=0)] = 0


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
    image: Text | None = Field(None, description="Instead of the catalog's image.")
    gpus: Annotated[ModelGpus, Short((int,), lambda n: {"count": n}, {"type": "integer", "minimum": 1})] = (
        Field(
            ModelGpus(count=1, pool=None),
            description="GPUs of one replica; a number where there is one pool.",
            examples=[4, {"pool": "h100", "count": 4}],
        )
    )
    parallel: Parallel = Field(
        Parallel(tensor=None, pipeline=1, data=1, expert=False),
        description="How the GPUs of a replica share the model.",
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto", description="Type of weights and activations."
    )
    quantization: Quantization | None = Field(None, description="Default: what the checkpoint is.")
    context: Tokens | None = Field(
        None,
        description="Tokens of one request, prompt and answer. Default: the model's own maximum.",
        examples=[32768],
    )
    concurrency: Count | None = Field(None, description="Cap on requests that run at once.", examples=[64])
    batch_tokens: Tokens | None = Field(None, description="Tokens of one scheduler step.", examples=[8192])
    memory_fraction: Fraction | None = Field(
        None, description="Share of the whole card that the engine takes, in vLLM's meaning.", examples=[0.92]
    )
    kv_cache: KvCache = Field(KvCache(dtype="auto"), description="The KV cache.")
    prefix_caching: bool = Field(True, description="Reuse the KV cache of a common prefix.")
    structured_output: bool = Field(True, description="Answers constrained by a JSON Schema or grammar.")
    served_names: list[Text] | None = Field(
        None, min_length=1, description='What clients write in "model". Default: the key of this model.'
    )
    trust_remote_code: bool = Field(
        False, description="Run the repository's own code; needs a pinned revision."
    )
    task: Literal["generate", "embed"] = Field("generate", description="What is asked of the model.")
    adapters: dict[Name, Adapter] | None = Field(None, description="LoRA adapters.")
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
        None, description="What `engine: auto` chooses by."
    )
    architecture: dict[str, Json] | None = Field(
        None, description="Facts for sizing where config.json cannot be read."
    )
    ready_timeout: Duration | None = Field(
        None, description="Time from start to ready, download not included.", examples=["20m"]
    )


class Route(Entry):
    """A path, and the model behind it."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["model"]}, {"required": ["by"]}]})

    path: RoutePath = Field(
        description="/batch/v1/models reaches the engine as /v1/models.", examples=["/batch"]
    )
    model: Text | None = Field(None, description="Key of `models`.", examples=["batch"])
    by: Literal["model"] | None = Field(None, description='Route by the request\'s "model" instead.')

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if (self.model is None) == (self.by is None):
            given = "neither is" if self.model is None else "both are"
            raise problem(
                "LD106",
                f"a route has either `model` or `by`, and {given} given",
                "keep one: `model: chat` or `by: model`",
            )
        return self


class Tls(Entry):
    secret: Name = Field(description="Kubernetes Secret of type kubernetes.io/tls.", examples=["llm-tls"])


class Gateway(Entry):
    """The way in."""

    host: HostName | None = Field(None, description="Host name on Kubernetes.", examples=["llm.example.com"])
    tls: Tls | None = Field(None, description="TLS at the gateway on Kubernetes.")
    auth: Text | None = Field(
        None, description="Secret that holds the API key; the engines check it.", examples=["api-key"]
    )
    idle_timeout: Duration = Field(
        600,
        description="Longest silence on a connection, prompt processing included.",
        examples=["600s"],
        json_schema_extra={"default": "600s"},
    )


class Cache(Entry):
    """Where weights are kept."""

    path: Text | None = Field(
        None,
        description="Host directory for docker and Compose; default: a named volume.",
        examples=["~/.cache/huggingface"],
    )
    size: Size = Field(
        200.0,
        description="Kubernetes claim: one for all models with ReadWriteMany, else one for each.",
        examples=["500GiB"],
        json_schema_extra={"default": "200GiB"},
    )
    storage_class: Text | None = Field(
        None, alias="class", description="Kubernetes StorageClass; default: the cluster's."
    )
    access: Literal["ReadWriteOnce", "ReadWriteMany"] = Field(
        "ReadWriteOnce", description="Kubernetes access mode."
    )


class Storage(Entry):
    cache: Cache = Field(Cache(), description="Where weights are kept.")


class Spec(Entry):
    """One llm.yaml."""

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
    gateway: Gateway = Field(Gateway(), description="The way in.")
    storage: Storage = Field(Storage(), description="Where weights are kept.")
    targets: Targets = Field(Targets(), description="Options of each target, and which are built by default.")
