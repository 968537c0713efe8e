"""What stands around the models: pools of GPUs, secrets, routes, the gateway and storage."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from llmdeploy.diagnostics.suggest import listed
from llmdeploy.spec.entry import Entry
from llmdeploy.spec.types import (
    Capability,
    Count,
    Duration,
    EnvName,
    HostName,
    Name,
    ObjectName,
    RoutePath,
    SecretKey,
    Size,
    Text,
    problem,
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

    name: ObjectName = Field(description="Name of the Secret.", examples=["hf-token"])
    key: SecretKey = Field(description="Key in it.", examples=["token"])


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
    storage_class: ObjectName | None = Field(
        None, alias="class", description="Kubernetes StorageClass; default: the cluster's."
    )
    access: Literal["ReadWriteOnce", "ReadWriteMany"] = Field(
        "ReadWriteOnce", description="Kubernetes access mode."
    )


class Storage(Entry):
    cache: Cache = Field(Cache.model_construct(), description="Where weights are kept.")
