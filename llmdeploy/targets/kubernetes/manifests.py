"""Every object of a plan, by the file it stands in."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.kubernetes import download, objects
from llmdeploy.targets.kubernetes.meta import Object
from llmdeploy.targets.kubernetes.patches import as_data, patched
from llmdeploy.targets.kubernetes.routes import routes
from llmdeploy.targets.kubernetes.values import values

Files = dict[str, list[Object]]


def manifests(plan: Plan, options: Kubernetes) -> Files:
    """Return {file name: objects}, without patches. The numbers are the order of creation."""
    project, knobs, namespace = plan.name, values(plan, options), options.namespace or plan.name
    services = knobs["services"].items()
    jobs = [download.job(project, m, s, knobs) for m, s in services if download.by_job(s, knobs)]
    policies = [objects.network_policy(project, m, s, knobs) for m, s in services]
    files = {
        "10-serviceaccounts.yaml": [objects.service_account(project, m, s) for m, s in services],
        "15-configmaps.yaml": [objects.config_map(project, m, s) for m, s in services if s["files"]],
        "20-claims.yaml": objects.claims(project, knobs),
        "30-networkpolicies.yaml": [*policies, *([objects.download_policy(project)] if jobs else [])],
        "40-downloads.yaml": jobs,
        "50-deployments.yaml": [objects.deployment(project, m, s, knobs) for m, s in services],
        "60-services.yaml": [objects.service(project, m, s) for m, s in services],
        "70-disruptionbudgets.yaml": [objects.disruption_budget(project, m, s) for m, s in services],
        "80-routes.yaml": routes(plan, options),
    }
    for item in (item for items in files.values() for item in items):
        item["metadata"] = {"name": item["metadata"]["name"], "namespace": namespace} | item["metadata"]
    return {"00-namespace.yaml": [objects.namespace(namespace, knobs)]} | files


def final(plan: Plan, options: Kubernetes) -> Files:
    """Return the same after the patches of llm.yaml."""
    patches = [as_data(patch) for patch in options.patches]
    return {
        file: [patched(item, patches) for item in items] for file, items in manifests(plan, options).items()
    }


def flat(files: Files) -> Iterator[Object]:
    return (item for items in files.values() for item in items)
