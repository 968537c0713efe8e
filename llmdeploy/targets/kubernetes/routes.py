"""How routes are reached: which gateway's lowering, and with which names."""

from __future__ import annotations

from typing import Any

from llmdeploy.gateways import httproute, ingress
from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.kubernetes.meta import Object, labels, object_of, project_labels
from llmdeploy.targets.kubernetes.service_values import service_values
from llmdeploy.targets.kubernetes.values import GATEWAY_CLASS

API = "gateway.networking.k8s.io/v1"


def routes(plan: Plan, options: Kubernetes) -> list[Object]:
    if not plan.routes or options.routing == "none":
        return []
    if options.routing == "ingress":
        return [_ingress(plan, options)]
    return [*_gateway(plan, options), *_httproutes(plan, options)]


def _ingress(plan: Plan, options: Kubernetes) -> Object:
    spec = ingress.spec(
        plan.routes, plan.gateway, options.ingress.class_, lambda model: f"{plan.name}-{model}"
    )
    made = object_of(
        "networking.k8s.io/v1", "Ingress", plan.name, project_labels(plan.name, "gateway"), spec=spec
    )
    made["metadata"]["annotations"] = ingress.controller_settings(plan.gateway)
    return made


def _gateway(plan: Plan, options: Kubernetes) -> list[Object]:
    """Return a Gateway of our own, and the redirect to its TLS listener; nothing where llm.yaml names one."""
    if options.gateway.name:
        return []
    spec = {
        "gatewayClassName": options.gateway.class_ or GATEWAY_CLASS,
        "listeners": httproute.listeners(plan.gateway, options.gateway.port, options.gateway.tls_port),
    }
    marks = project_labels(plan.name, "gateway")
    made = [object_of(API, "Gateway", plan.name, marks, spec=spec)]
    if plan.gateway.tls_secret:
        redirect = httproute.redirect(plan.gateway, _parent(plan, options) | {"sectionName": "http"})
        made.append(object_of(API, "HTTPRoute", f"{plan.name}.https-redirect", marks, spec=redirect))
    return made


def _httproutes(plan: Plan, options: Kubernetes) -> list[Object]:
    parent, made = _parent(plan, options), []
    for service in plan.services:
        name = f"{plan.name}-{service.name}"
        marks = labels(plan.name, service.name, service_values(plan, options, service))
        rules = httproute.rules(plan.routes_of(service.name), name, service.launch.port)
        for index, spec in enumerate(httproute.specs(rules, plan.gateway, parent)):
            made.append(
                object_of(API, "HTTPRoute", f"{name}.{index + 1}" if index else name, marks, spec=spec)
            )
    return made


def _parent(plan: Plan, options: Kubernetes) -> dict[str, Any]:
    gateway = options.gateway
    if gateway.name:
        optional = {"namespace": gateway.namespace, "sectionName": gateway.section}
        given = {key: value for key, value in optional.items() if value}
        return {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway.name, **given}
    section = "https" if plan.gateway.tls_secret else "http"
    return {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": plan.name,
        "sectionName": section,
    }
