"""What one object says of another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from llmdeploy.targets.kubernetes.verify.problem import Object, Pod, Problem, pod_of, selects, title

Objects = Mapping[tuple[str, str], Object]

_SELECTORS = {
    "Service": ("selector",),
    "PodDisruptionBudget": ("selector", "matchLabels"),
    "NetworkPolicy": ("podSelector", "matchLabels"),
}


def references(items: Sequence[Object]) -> Iterator[Problem]:
    pods = [pod for pod in map(pod_of, items) if pod]
    # By label, for a look at every Pod for every selector takes minutes over a thousand models.
    labelled: dict[tuple[str, str], list[Pod]] = defaultdict(list)
    for pod in pods:
        for label in pod.labels.items():
            labelled[label].append(pod)
    for item in items:
        yield from _selector(item, labelled)
    by_key = {(item["kind"], item["metadata"]["name"]): item for item in items}
    for pod in pods:
        yield from _volumes(pod, by_key)
        account = pod.spec.get("serviceAccountName")
        if account and ("ServiceAccount", account) not in by_key:
            yield pod.problem(("serviceAccountName",), f"there is no ServiceAccount `{account}`")


def _selector(item: Object, labelled: Mapping[tuple[str, str], Sequence[Pod]]) -> Iterator[Problem]:
    path = _SELECTORS.get(item["kind"])
    if path is None:
        return
    wanted = item.get("spec", {})
    for key in path:
        wanted = wanted.get(key, {})
    candidates = min((labelled.get(label, ()) for label in wanted.items()), key=len, default=())
    chosen = [pod for pod in candidates if selects(wanted, pod.labels)]
    if not chosen:
        yield Problem(title(item), ("spec", *path), "selects no Pod")
    if item["kind"] != "Service":
        return
    if len({title(pod.owner) for pod in chosen}) > 1:
        yield Problem(title(item), ("spec", *path), "selects the Pods of more than one workload")
    named = {port.get("name") for pod in chosen for _, c in pod.containers() for port in c.get("ports", [])}
    for index, port in enumerate(item["spec"].get("ports", [])):
        target = port.get("targetPort")
        if chosen and isinstance(target, str) and target not in named:
            yield Problem(
                title(item), ("spec", "ports", str(index), "targetPort"), f"no Pod has a port `{target}`"
            )
        if not 1 <= port.get("port", 0) <= 65535:
            yield Problem(
                title(item), ("spec", "ports", str(index), "port"), f"{port.get('port')} is not a port"
            )


def _volumes(pod: Pod, by_key: Objects) -> Iterator[Problem]:
    for index, volume in enumerate(pod.spec.get("volumes", [])):
        path = ("volumes", str(index))
        if claim := volume.get("persistentVolumeClaim", {}).get("claimName"):
            found = by_key.get(("PersistentVolumeClaim", claim))
            if found is None:
                yield pod.problem(path, f"there is no PersistentVolumeClaim `{claim}`")
            elif found["spec"]["accessModes"] == ["ReadWriteOnce"]:
                yield from _single_writer(pod, claim)
        if files := volume.get("configMap", {}).get("name"):
            found = by_key.get(("ConfigMap", files))
            if found is None:
                yield pod.problem(path, f"there is no ConfigMap `{files}`")
            else:
                yield from _keys(pod, volume["name"], found)


def _keys(pod: Pod, volume: str, config: Object) -> Iterator[Problem]:
    for path, container in pod.containers():
        for mount in container.get("volumeMounts", []):
            key = mount.get("subPath")
            if mount.get("name") == volume and key and key not in config.get("data", {}):
                yield pod.problem((*path, "volumeMounts"), f"{title(config)} has no `{key}`")


def _single_writer(pod: Pod, claim: str) -> Iterator[Problem]:
    spec = pod.owner["spec"]
    if spec.get("replicas", 1) > 1:
        yield Problem(
            title(pod.owner), ("spec", "replicas"), f"`{claim}` is ReadWriteOnce: one node mounts it"
        )
    elif pod.owner["kind"] == "Deployment" and spec.get("strategy", {}).get("type") != "Recreate":
        message = f"`{claim}` is ReadWriteOnce: the old Pod must be gone first, `Recreate`"
        yield Problem(title(pod.owner), ("spec", "strategy"), message)
