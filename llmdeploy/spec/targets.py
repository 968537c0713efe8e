"""The `targets` section: each target's own options."""

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from llmdeploy.spec.entry import Entry
from llmdeploy.spec.types import AnyText, Json, Name, ObjectName, Port, RuntimeClass, Size, Text, problem


def _address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise problem(
            "LD105", f"`{value}` is not an IP address", "write `127.0.0.1`, or `0.0.0.0` for every interface"
        ) from None
    return value


Address = Annotated[Text, AfterValidator(_address)]


class Docker(Entry):
    """`out/docker`: shell scripts."""

    bind: Address = Field("127.0.0.1", description="Address on which the gateway listens.")
    port: Port = Field(8080, description="Port on which the gateway listens.")


class Compose(Docker):
    """`out/compose`: a Compose project."""

    overrides: dict[str, Json] = Field(
        {},
        description="Merged into compose.yaml at the end; judged by the Compose specification.",
        examples=[{"services": {"chat": {"mem_limit": "64g"}}}],
    )


class Ingress(Entry):
    class_: Literal["nginx"] = Field(
        "nginx", alias="class", description="Ingress class; ingress-nginx's annotations."
    )


class GatewayApi(Entry):
    """The Gateway that HTTPRoutes attach to: made here (`class`), or one that is there (`name`)."""

    class_: Name | None = Field(
        None,
        alias="class",
        description="GatewayClass of a Gateway that is made here. Default: traefik.",
        examples=["traefik", "eg"],
    )
    port: Port = Field(
        80, description="Port of its HTTP listener; traefik's chart has its entry point at 8000."
    )
    tls_port: Port = Field(443, description="Port of its HTTPS listener; traefik's chart: 8443.")
    name: Name | None = Field(None, description="A Gateway that is there already.")
    namespace: Name | None = Field(None, description="Its namespace.")
    section: Name | None = Field(None, description="Its listener.")


class Toleration(Entry):
    key: Text | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: AnyText | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    tolerationSeconds: Annotated[int, Field(ge=0)] | None = None  # noqa: N815  Kubernetes' own name

    @model_validator(mode="after")
    def _is_one_that_the_server_takes(self) -> Self:
        if self.operator == "Exists" and self.value:
            raise problem(
                "LD106",
                "a toleration with `operator: Exists` has no `value`",
                "remove one of the two",
                ("value",),
            )
        if self.operator == "Equal" and self.key is None:
            raise problem(
                "LD106",
                "a toleration without `key` is one of every taint, which is `operator: Exists`",
                "add `key`, or write `operator: Exists` without `value`",
            )
        if self.tolerationSeconds is not None and self.effect != "NoExecute":
            raise problem(
                "LD106",
                "`tolerationSeconds` is for `effect: NoExecute` alone",
                "remove it, or write `effect: NoExecute`",
                ("tolerationSeconds",),
            )
        return self


class Resources(Entry):
    cpu: Annotated[float, Field(gt=0, le=4096)] | None = Field(
        None, description="Cores requested by one replica. Default: 2 + 2 for each GPU.", examples=[8]
    )
    memory: Size | None = Field(
        None, description="Memory of one replica, request and limit.", examples=["64GiB"]
    )


class Patch(Entry):
    """A part of an object, merged into what the compiler made. Lists whose items have a name merge by it."""

    kind: Text = Field(description="Kind of the objects.", examples=["Deployment"])
    name: Text | None = Field(None, description="Name of the object; default: every one of this kind.")
    patch: dict[str, Json] = Field(
        description="What is merged.", examples=[{"spec": {"revisionHistoryLimit": 1}}]
    )


class Kubernetes(Entry):
    """`out/kubernetes`: manifests with a kustomization.yaml."""

    namespace: Name | None = Field(None, description="Namespace. Default: the name of the project.")
    routing: Literal["gateway-api", "ingress", "none"] = Field(
        "gateway-api", description="How routes are reached."
    )
    ingress: Ingress = Field(Ingress.model_construct(), description="For `routing: ingress`.")
    gateway: GatewayApi = Field(GatewayApi.model_construct(), description="For `routing: gateway-api`.")
    node_selector: dict[Text, AnyText] = Field({}, description="Labels of the nodes that engines run on.")
    tolerations: list[Toleration] = Field([], description="Beside the one for the GPU's own taint.")
    runtime_class: RuntimeClass = Field("", description="RuntimeClass of the engines' Pods.")
    image_pull_secrets: list[ObjectName] = Field([], description="Secrets that pull the images.")
    annotations: dict[Text, AnyText] = Field({}, description="Annotations of the engines' Pods.")
    resources: Resources = Field(Resources.model_construct(), description="CPU and memory of one replica.")
    patches: list[Patch] = Field([], description="The way out where an option is missing.")


class Helm(Kubernetes):
    """`out/helm`: a chart with values. Takes kubernetes' options unless it states its own."""


class Targets(Entry):
    docker: Docker | None = None
    compose: Compose | None = None
    kubernetes: Kubernetes | None = None
    helm: Helm | None = None
