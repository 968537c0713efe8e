"""What a node would refuse, or silently change, in a container."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from llmdeploy.targets.kubernetes.verify.names import DNS_LABEL
from llmdeploy.targets.kubernetes.verify.problem import Object, Path, Pod, Problem, pod_of
from llmdeploy.targets.kubernetes.verify.quantity import amount

Found = Iterator[tuple[Path, str]]

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
HANDLERS = {"httpGet", "exec", "tcpSocket", "grpc"}
PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
ENV_NAME = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
# What the kubelet takes for a reference once `$$` is read as a dollar.
REFERENCE = re.compile(r"(?<!\$)(?:\$\$)*\$\([^)]*\)")


def containers(items: Sequence[Object]) -> Iterator[Problem]:
    for pod in filter(None, map(pod_of, items)):
        names = [container.get("name") for _, container in pod.containers()]
        for path, container in pod.containers():
            name = container.get("name", "")
            if names.count(name) > 1 or not DNS_LABEL.fullmatch(name):
                yield pod.problem((*path, "name"), f"`{name}` is not a name of its own")
            for rule in (_ports, _probes, _env, _expansion, _resources):
                yield from (pod.problem((*path, *at), message) for at, message in rule(container))
            yield from (pod.problem((*path, *at), message) for at, message in _mounts(pod, container))


def _ports(container: Object) -> Found:
    ports = container.get("ports", [])
    for index, port in enumerate(ports):
        name, number = port.get("name"), port.get("containerPort")
        if name is not None and not (len(name) <= 15 and PORT_NAME.fullmatch(name)):
            yield ("ports", str(index), "name"), f"`{name}`: at most 15 of small letters, digits and `-`"
        if not _is_port(number):
            yield ("ports", str(index), "containerPort"), f"{number} is not a port"


def _is_port(number: Any) -> bool:
    return isinstance(number, int) and 1 <= number <= 65535


def _probes(container: Object) -> Found:
    named = {port.get("name") for port in container.get("ports", [])}
    for field in PROBES:
        probe = container.get(field)
        if probe is None:
            continue
        handlers = sorted(HANDLERS & probe.keys())
        if len(handlers) != 1:
            yield (field,), f"needs one way to ask, and has {', '.join(handlers) or 'none'}"
        port = probe.get("httpGet", {}).get("port")
        if isinstance(port, str) and port not in named:
            yield (field, "httpGet", "port"), f"the container has no port `{port}`"
        if isinstance(port, int) and not _is_port(port):
            yield (field, "httpGet", "port"), f"{port} is not a port"


def _env(container: Object) -> Found:
    names = [item.get("name", "") for item in container.get("env", [])]
    for index, item in enumerate(container.get("env", [])):
        name = item.get("name", "")
        if names.index(name) != index:
            yield ("env", str(index), "name"), f"`{name}` is set twice"
        if not ENV_NAME.fullmatch(name):
            yield ("env", str(index), "name"), f"`{name}` is not a name of a variable"
        if "value" in item and "valueFrom" in item:
            yield ("env", str(index)), "has both `value` and `valueFrom`"


def _expansion(container: Object) -> Found:
    words = [
        ((field, str(i)), word)
        for field in ("command", "args")
        for i, word in enumerate(container.get(field, []))
    ]
    values = [
        (("env", str(i), "value"), item.get("value", "")) for i, item in enumerate(container.get("env", []))
    ]
    for path, text in (*words, *values):
        if isinstance(text, str) and (found := REFERENCE.search(text)):
            yield path, f"`{found[0]}` would be expanded; a literal one is written `$$(…)`"


def _resources(container: Object) -> Found:
    resources = container.get("resources", {})
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    for kind, amounts in (("requests", requests), ("limits", limits)):
        for name, value in amounts.items():
            if amount(value) is None:
                yield ("resources", kind, name), f"`{value}` is not a quantity: `500m`, `64Gi`"
    for name in sorted({*requests, *limits}):
        request, limit = amount(requests.get(name)), amount(limits.get(name))
        if request is not None and limit is not None and request > limit:
            yield ("resources", "requests", name), "is above its limit"
        if "/" in name and (limit is None or (name in requests and request != limit)):
            yield (
                ("resources", "limits", name),
                "a device is never overcommitted: its request must be its limit",
            )


def _mounts(pod: Pod, container: Object) -> Found:
    volumes = {volume.get("name"): volume for volume in pod.spec.get("volumes", [])}
    limit = amount(container.get("resources", {}).get("limits", {}).get("memory"))
    mounts = container.get("volumeMounts", [])
    paths = [mount.get("mountPath") for mount in mounts]
    for index, mount in enumerate(mounts):
        if mount.get("name") not in volumes:
            yield ("volumeMounts", str(index), "name"), f"the Pod has no volume `{mount.get('name')}`"
            continue
        if paths.index(mount.get("mountPath")) != index:
            yield ("volumeMounts", str(index), "mountPath"), "two volumes are mounted at one path"
        memory = volumes[mount["name"]].get("emptyDir") or {}
        size = amount(memory.get("sizeLimit"))
        if memory.get("medium") == "Memory" and size and limit and size >= limit:
            yield (
                ("resources", "limits", "memory"),
                f"leaves nothing beside `{mount['name']}`, which is memory too",
            )
