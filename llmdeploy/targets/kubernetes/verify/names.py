"""Names, labels and API versions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from llmdeploy.targets.kubernetes.verify.problem import Object, Path, Problem, pod_of, title

APIS = {
    **dict.fromkeys(
        ("Namespace", "Pod", "Service", "ServiceAccount", "ConfigMap", "PersistentVolumeClaim"), "v1"
    ),
    "Deployment": "apps/v1",
    "Job": "batch/v1",
    "PodDisruptionBudget": "policy/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "Ingress": "networking.k8s.io/v1",
    "Gateway": "gateway.networking.k8s.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
}

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_LABEL = re.compile(_LABEL)
DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
# A Service's name becomes a host name of the older kind, which begins with a letter.
SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def names(items: Sequence[Object]) -> Iterator[Problem]:
    for key, count in Counter(_key(item) for item in items).items():
        if count > 1:
            yield Problem(f"{key[0]}/{key[2]}", ("metadata", "name"), f"there are {count} of this name")
    for item in items:
        yield from _api(item)
        yield from _name(item)
        yield from _labels(item)


def _key(item: Object) -> tuple[str, str | None, str]:
    return item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]


def _api(item: Object) -> Iterator[Problem]:
    served = APIS.get(item["kind"])
    if served and item.get("apiVersion") != served:
        yield Problem(
            title(item), ("apiVersion",), f"`{item.get('apiVersion')}` is not served; it is `{served}`"
        )


def _name(item: Object) -> Iterator[Problem]:
    kind, name = item["kind"], item["metadata"]["name"]
    pattern = {"Service": SERVICE_NAME, "Namespace": DNS_LABEL}.get(kind, DNS_SUBDOMAIN)
    if not pattern.fullmatch(name):
        yield Problem(title(item), ("metadata", "name"), "is not a legal name of this kind")
    # The names of Jobs and Deployments become labels, those of Services host names.
    longest = 63 if kind in ("Service", "Namespace", "Job", "Deployment", "Pod") else 253
    if len(name) > longest:
        yield Problem(title(item), ("metadata", "name"), f"is longer than {longest} characters")


def _labels(item: Object) -> Iterator[Problem]:
    metadata, pod, spec = item["metadata"], pod_of(item), item.get("spec", {})
    labelled: list[tuple[Path, Object]] = [(("metadata", "labels"), metadata.get("labels", {}))]
    annotated: list[tuple[Path, Object]] = [(("metadata", "annotations"), metadata.get("annotations", {}))]
    if pod and item["kind"] != "Pod":
        inner = spec["template"].get("metadata", {})
        labelled.append((("spec", "template", "metadata", "labels"), pod.labels))
        annotated.append((("spec", "template", "metadata", "annotations"), inner.get("annotations", {})))
    if pod:
        labelled.append(((*pod.path, "nodeSelector"), pod.spec.get("nodeSelector", {})))
    for path, pairs in labelled:
        for key, value in pairs.items():
            if value and not LABEL_NAME.fullmatch(str(value)):
                message = f"`{value}` is not a label value: at most 63 of letters, digits and `._-`"
                yield Problem(title(item), (*path, key), message)
    for path, pairs in (*labelled, *annotated):
        yield from (
            Problem(title(item), (*path, key), "is not a legal key") for key in pairs if not _is_key(key)
        )


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    legal = not slash or (len(prefix) <= 253 and DNS_SUBDOMAIN.fullmatch(prefix))
    return bool(legal and LABEL_NAME.fullmatch(name))
