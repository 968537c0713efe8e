"""What Kubernetes cannot express of a plan, at the line of llm.yaml that asked for it."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.plan.model import MountKind, Plan
from llmdeploy.spec.targets import GatewayApi, Kubernetes
from llmdeploy.targets.kubernetes.origins import section, used_secrets

IDLE_TIMEOUT_S = 600

_FREE = (
    "node_selector",
    "tolerations",
    "runtime_class",
    "image_pull_secrets",
    "annotations",
    "resources",
    "patches",
)


def check(plan: Plan, target: str) -> Iterator[Diagnostic]:
    options: Kubernetes = plan.options[target]
    yield from _secrets(plan)
    yield from _routing(plan, options, target)
    yield from _gateway(plan, options, section(plan, target, "gateway"))
    unsound = [*_name(plan), *_namespace(plan, options, target), *_replicas(plan)]
    # The objects would only say it again, in their own words.
    yield from unsound or _objects(plan, options, target)


def _objects(plan: Plan, options: Kubernetes, target: str) -> Iterator[Diagnostic]:
    """Judge the objects where free text of llm.yaml gets into them; what we make alone is held by tests."""
    plain = Kubernetes.model_construct()
    free = any(getattr(options, field) != getattr(plain, field) for field in _FREE)
    if free or plan.storage.storage_class is not None:
        from llmdeploy.targets.kubernetes.check_objects import check_objects  # the rules take 15 ms to import

        yield from check_objects(plan, options, target)


def _name(plan: Plan) -> Iterator[Diagnostic]:
    if not plan.name[0].isalpha():
        yield Diagnostic(
            "LD404",
            f"a Service cannot be named `{plan.name}-{plan.services[0].name}`: its name begins with a letter",
            ("name",),
            help=f"call the project `llm-{plan.name}`, or build for docker and Compose only",
        )


def _namespace(plan: Plan, options: Kubernetes, target: str) -> Iterator[Diagnostic]:
    """The manifests label the namespace, and their undoing deletes it: it must be the project's own."""
    namespace = options.namespace or plan.name
    if namespace == "default" or namespace.startswith("kube-"):
        yield Diagnostic(
            "LD404",
            f"the namespace `{namespace}` is the cluster's: Pod Security labels on it would hold for all that is there",
            section(plan, target, "namespace") if options.namespace else ("name",),
            help="give the project a namespace of its own, like `namespace: llm`",
        )


def _secrets(plan: Plan) -> Iterator[Diagnostic]:
    for secret in used_secrets(plan):
        if secret.kubernetes is None:
            yield Diagnostic(
                "LD402",
                f"secret `{secret.name}` has no reference for Kubernetes",
                secret.origin,
                help=f"add `kubernetes: {{name: {secret.name}, key: value}}`, a Secret and its key",
            )


def _replicas(plan: Plan) -> Iterator[Diagnostic]:
    if plan.storage.access == "ReadWriteMany":
        return
    for service in plan.services:
        if service.replicas > 1 and service.mount(MountKind.WEIGHTS):
            yield Diagnostic(
                "LD403",
                f"{service.replicas} replicas of `{service.name}` cannot share a ReadWriteOnce volume: "
                "it is mounted by one node",
                (*service.origin, "replicas"),
                help="set `storage.cache.access: ReadWriteMany` and a `class` that offers it, or `replicas: 1`",
            )


def _routing(plan: Plan, options: Kubernetes, target: str) -> Iterator[Diagnostic]:
    gateway = plan.gateway
    idle = gateway.idle_timeout_s != IDLE_TIMEOUT_S
    if options.routing == "none" or not plan.routes:
        for name, given in (("host", gateway.host), ("tls", gateway.tls_secret), ("idle_timeout", idle)):
            if given:
                message = f"without routes on Kubernetes, `{name}` is not used there"
                yield Diagnostic("LD407", message, ("gateway", name))
    elif options.routing == "ingress":
        yield Diagnostic(
            "LD506",
            "ingress-nginx is retired: archived on 2026-03-24, no fixes since",
            section(plan, target, "routing"),
            help="write `routing: gateway-api`; or serve it with traefik 3.7, which reads these annotations",
        )
        yield from _one_case(plan)
    else:
        if idle:
            message = "an idle timeout has no field in the Gateway API: on Kubernetes it is the gateway's own"
            yield Diagnostic("LD407", message, ("gateway", "idle_timeout"))
        if gateway.tls_secret and options.gateway.name:
            message = f"TLS is left to the Gateway `{options.gateway.name}`, which is there already"
            yield Diagnostic("LD407", message, ("gateway", "tls"))


def _one_case(plan: Plan) -> Iterator[Diagnostic]:
    seen: dict[str, tuple[int, str]] = {}
    for index, route in enumerate(plan.routes):
        first, path = seen.setdefault(route.path.lower(), (index, route.path))
        if first != index:
            yield Diagnostic(
                "LD206",
                f"ingress-nginx takes `{route.path}` and `{path}` for one path: it matches in any case",
                ("routes", index, "path"),
                help="give each route a path that differs in more than its case, or write `routing: gateway-api`",
                notes=(Note("the first", ("routes", first, "path")),),
            )


def _gateway(plan: Plan, options: Kubernetes, path: Path) -> Iterator[Diagnostic]:
    gateway = options.gateway
    if options.routing != "gateway-api" and gateway != GatewayApi.model_construct():
        yield Diagnostic(
            "LD510", f"`gateway` is not used with `routing: {options.routing}`", path, help="remove it"
        )
    if gateway.name and gateway.class_:
        yield Diagnostic(
            "LD106",
            "`name` is a Gateway that is there, `class` is that of one to be made",
            (*path, "class"),
            help="keep one of the two",
        )
    for key in ("port", "tls_port"):
        if gateway.name and key in gateway.model_fields_set:
            yield Diagnostic(
                "LD106",
                f"`{key}` is that of a Gateway to be made, and `name` is one that is there",
                (*path, key),
                help="keep one of the two",
            )
    if "tls_port" in gateway.model_fields_set and not gateway.name and plan.gateway.tls_secret is None:
        yield Diagnostic(
            "LD510",
            "`tls_port` is not used without `gateway.tls`",
            (*path, "tls_port"),
            help="remove it, or name a certificate in `gateway.tls.secret`",
        )
    for key in ("namespace", "section"):
        if getattr(gateway, key) and not gateway.name:
            yield Diagnostic(
                "LD106",
                f"`{key}` says where a Gateway stands, and none is named",
                (*path, key),
                help="add `name`",
            )
