"""What the output's README says: create the secrets, apply, reach, undo."""

from __future__ import annotations

import math

from llmdeploy.emit import shell
from llmdeploy.plan.model import Plan, Secret
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.base import Guide, Step
from llmdeploy.targets.kubernetes import commands
from llmdeploy.targets.kubernetes.manifests import flat, manifests
from llmdeploy.targets.kubernetes.meta import Object
from llmdeploy.targets.kubernetes.origins import used_secrets
from llmdeploy.targets.kubernetes.values import GATEWAY_CLASS, values

KEPT = ("Namespace", "PersistentVolumeClaim")
_TRAEFIK = (
    "Traefik reads Gateways with `providers.kubernetesGateway.enabled=true`, and takes a listener only on the "
    "port of one of its entry points. Its chart has 8000 and 8443: write `gateway: {port: 8000, tls_port: 8443}` "
    "under `targets.kubernetes`, or set `ports.web.port=80` and `ports.websecure.port=443` in the chart."
)


def manifests_guide(plan: Plan, options: Kubernetes) -> Guide:
    namespace = options.namespace or plan.name
    made = [item for item in flat(manifests(plan, options)) if item["kind"] not in KEPT]
    kinds = dict.fromkeys(map(_resource, made))
    return Guide(
        title="Kubernetes",
        base_url=base_url(plan, options),
        has_gateway=options.routing != "none",
        secrets=(
            Step(shell.join(commands.make_namespace("kubernetes")), "secrets live in the namespace"),
            *secret_steps(plan, options),
        ),
        apply=(
            *image_steps(plan, "kubernetes"),
            Step(shell.join(commands.apply("kubernetes"))),
            *(
                Step(shell.join(commands.rollout(namespace, f"{plan.name}-{name}", f"{minutes}m")))
                for name, minutes in waits(plan, options).items()
            ),
        ),
        undo=(
            Step(
                shell.join(commands.delete(namespace, ",".join(kinds), commands.selector(plan.name))),
                "keeps the weights",
            ),
            Step(f"kubectl delete namespace {namespace}", "all that is in it, weights too"),
        ),
        remarks=remarks(plan, options),
    )


def _resource(item: Object) -> str:
    """Return what kubectl calls a kind. Istio has a Gateway too, so those of the Gateway API say their group."""
    group = item["apiVersion"].rpartition("/")[0]
    kind: str = item["kind"].lower()
    return f"{kind}.{group}" if group.startswith("gateway.") else kind


def base_url(plan: Plan, options: Kubernetes) -> str:
    gateway = plan.gateway
    if options.routing == "none":
        return f"http://127.0.0.1:{plan.services[0].launch.port}"
    host = (gateway.host or "GATEWAY").replace("*", "ANY")
    return f"http{'s' if gateway.tls_secret else ''}://{host}"


def secret_steps(plan: Plan, options: Kubernetes) -> tuple[Step, ...]:
    """One command for a Secret, however many of its keys are used."""
    namespace = options.namespace or plan.name
    wanted: dict[str, list[str]] = {}
    for secret in used_secrets(plan):
        if secret.kubernetes:
            name, key = secret.kubernetes
            wanted.setdefault(name, []).append(f'--from-literal={key}="${{{_variable(secret)}:?}}"')
    steps = [
        Step(f"kubectl -n {namespace} create secret generic {name} {' '.join(keys)}")
        for name, keys in wanted.items()
    ]
    if tls_secret(plan, options):
        steps.append(
            Step(
                f"kubectl -n {namespace} create secret tls {tls_secret(plan, options)} "
                "--cert=tls.crt --key=tls.key"
            )
        )
    return tuple(steps)


def tls_secret(plan: Plan, options: Kubernetes) -> str | None:
    """Return the Secret with the certificate, where a gateway that is made here reads it."""
    made = plan.routes and options.routing != "none" and not options.gateway.name
    return plan.gateway.tls_secret if made else None


def _variable(secret: Secret) -> str:
    return secret.env or secret.name.upper().replace("-", "_")


def image_steps(plan: Plan, folder: str) -> tuple[Step, ...]:
    built = [service for service in plan.services if service.build]
    return tuple(
        Step(f"docker build -t {s.launch.image} {folder}/images/{s.name} && docker push {s.launch.image}")
        for s in built
    )


def remarks(plan: Plan, options: Kubernetes) -> tuple[str, ...]:
    namespace = options.namespace or plan.name
    if options.routing == "none" or not plan.routes:
        return tuple(
            f"`{s.name}` is reached without a prefix, at its own Service: "
            f"`kubectl -n {namespace} port-forward service/{plan.name}-{s.name} {s.launch.port}`"
            for s in plan.services
        )
    return (*_needed(plan, options), _address(plan, options))


def _needed(plan: Plan, options: Kubernetes) -> tuple[str, ...]:
    gateway = options.gateway
    if options.routing == "ingress":
        return ()
    if gateway.name:
        there = f"`{gateway.name}`" + (f" in `{gateway.namespace}`" if gateway.namespace else "")
        return (f"The Gateway {there} must admit routes of this namespace (`allowedRoutes`).",)
    made = gateway.class_ or GATEWAY_CLASS
    needed = f"Routes need the Gateway API's CRDs and a controller for the GatewayClass `{made}`."
    return (needed, _TRAEFIK) if made == "traefik" else (needed,)


def _address(plan: Plan, options: Kubernetes) -> str:
    namespace = options.namespace or plan.name
    if plan.gateway.host:
        return f"`{base_url(plan, options).partition('://')[2]}` must resolve to the gateway's address."
    if options.routing == "ingress":
        return f"GATEWAY is the address that `kubectl -n {namespace} get ingress {plan.name}` shows."
    where, gateway = options.gateway.namespace or namespace, options.gateway.name or plan.name
    return f"GATEWAY is the address that `kubectl -n {where} get gateway {gateway}` shows."


def budget_minutes(plan: Plan, options: Kubernetes) -> int:
    """Return how long a tool should wait: longer than any rollout may take before it counts as failed."""
    return max(waits(plan, options).values())


def waits(plan: Plan, options: Kubernetes) -> dict[str, int]:
    """Return the minutes that the rollout of each model may take."""
    services = values(plan, options)["services"]
    # A rollout goes on one Pod at a time; each has the deadline for itself.
    return {
        name: math.ceil(service["progressDeadlineSeconds"] * service["replicas"] / 60) + 5
        for name, service in services.items()
    }
