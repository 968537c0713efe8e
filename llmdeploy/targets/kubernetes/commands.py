"""The command lines that the output's README prints and that `llmdeploy apply` and `down` run."""

from __future__ import annotations

from llmdeploy.targets.kubernetes.meta import PART_OF, Object

Argv = tuple[str, ...]

MANAGER = "llmdeploy"
"""Owner of the fields that are set. Those of others are a conflict, which kubectl and we leave to a person."""

RUNNING = {"deployment.apps": "Deployment", "job.batch": "Job"}
"""Kinds of objects that have Pods, as kubectl spells them: with the group, for others have such kinds too."""
AROUND = {
    "service": "Service",
    "configmap": "ConfigMap",
    "serviceaccount": "ServiceAccount",
    "networkpolicy.networking.k8s.io": "NetworkPolicy",
    "poddisruptionbudget.policy": "PodDisruptionBudget",
    "ingress.networking.k8s.io": "Ingress",
}
GATEWAY = "gateway.gateway.networking.k8s.io"
ROUTE = "httproute.gateway.networking.k8s.io"
GATEWAY_API = {GATEWAY: "Gateway", ROUTE: "HTTPRoute"}
"""Kinds that a cluster need not have."""
CLAIM = "persistentvolumeclaim"

_MANAGED_BY = "app.kubernetes.io/managed-by"
APPLY = ("kubectl", "apply", "--server-side", f"--field-manager={MANAGER}")
_CONTEXT = {"kubectl": "--context", "helm": "--kube-context"}


def pinned(argv: Argv, context: str) -> Argv:
    """Return the command for one cluster, whatever the current context is by the time it runs."""
    return (argv[0], _CONTEXT[argv[0]], context, *argv[1:])


def resource(item: Object) -> str:
    """Return the kind of an object as kubectl spells it, with its group."""
    group = item["apiVersion"].rpartition("/")[0]
    kind: str = item["kind"].lower()
    return f"{kind}.{group}" if group else kind


def selector(project: str, manager: str = "") -> str:
    """Return what selects the objects of a project; with `manager` those that it made."""
    return f"{PART_OF}={project}" + (f",{_MANAGED_BY}={manager}" if manager else "")


def make_namespace(manifests: str) -> Argv:
    return (*APPLY, "-f", f"{manifests}/00-namespace.yaml")


def apply(manifests: str) -> Argv:
    return (*APPLY, "-k", manifests)


def diff(manifests: str) -> Argv:
    return ("kubectl", "diff", *APPLY[2:], "-k", manifests)


def rollout(namespace: str, deployment: str, limit: str) -> Argv:
    status = ("rollout", "status", f"deployment/{deployment}", f"--timeout={limit}")
    return ("kubectl", "-n", namespace, *status)


def delete(namespace: str, kinds: str, selector: str) -> Argv:
    return ("kubectl", "-n", namespace, "delete", kinds, "-l", selector)


def upgrade(release: str, chart: str, namespace: str, limit: str) -> Argv:
    wait = ("--create-namespace", "--rollback-on-failure", "--wait", "--timeout", limit)
    return ("helm", "upgrade", "--install", release, chart, "-n", namespace, *wait)


def uninstall(release: str, namespace: str) -> Argv:
    return ("helm", "uninstall", release, "-n", namespace)
