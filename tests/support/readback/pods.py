"""Deployments, and the Jobs and init containers that fetch for them, as a kubelet would run them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmdeploy.plan.model import Plan
from support.readback.model import Fetch, Model, Models, Replica, marker
from support.readback.spelled import size_of, without_token

# Docker and Kubernetes differ in how a container gets scratch space, and no model, cache or file lies there.
SCRATCH = {"/tmp", "/dev/shm"}


def deployments(plan: Plan, objects: Sequence[dict[str, Any]]) -> Models:
    pods = {
        (each["kind"], each["metadata"]["labels"]["app.kubernetes.io/instance"]): each["spec"]
        for each in objects
        if each["kind"] in ("Deployment", "Job")
    }
    maps = {each["metadata"]["name"]: each["data"] for each in objects if each["kind"] == "ConfigMap"}
    models = {}
    for model in plan.services:
        instance = f"{plan.name}-{model.name}"
        spec = pods["Deployment", instance]
        pod = spec["template"]["spec"]
        (engine,) = pod["containers"]
        job = pods.get(("Job", instance))
        inits = [*pod.get("initContainers", ()), *(job["template"]["spec"]["containers"] if job else ())]
        fetch = next((_fetch(plan, each) for each in inits if each["name"] == "download"), None)
        port = _service_port(objects, spec["template"]["metadata"]["labels"], engine)
        replica = _replica(plan, pod, port, maps)
        models[model.name] = Model((replica,) * spec["replicas"], fetch)
    return models


def _replica(plan: Plan, pod: Mapping[str, Any], port: int, maps: Mapping[str, Mapping[str, str]]) -> Replica:
    (engine,) = pod["containers"]
    env = _env(plan, engine)
    limits = engine["resources"]["limits"]
    gpus = [amount for name, amount in limits.items() if "/" in name]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    shm = next(volumes[m["name"]] for m in engine["volumeMounts"] if m["mountPath"] == "/dev/shm")
    return Replica(
        argv=tuple(_expand(word, env) for word in (*engine["command"], *engine.get("args", ()))),
        env=env,
        image=engine["image"],
        port=port,
        gpus=sum(int(amount) for amount in gpus),
        devices=None,
        shm=size_of(shm["emptyDir"]["sizeLimit"]),
        mounts=frozenset(
            (mount["mountPath"], mount.get("readOnly", False))
            for mount in engine["volumeMounts"]
            if mount["mountPath"] not in SCRATCH
        ),
        files={
            mount["mountPath"]: maps[volumes[mount["name"]]["configMap"]["name"]][mount["subPath"]]
            for mount in engine["volumeMounts"]
            if "configMap" in volumes[mount["name"]]
        },
    )


def _fetch(plan: Plan, container: Mapping[str, Any]) -> Fetch:
    # The command is a shell that skips what is there already; what it runs is the arguments.
    env = _env(plan, container)
    argv = tuple(_expand(word, env) for word in container["args"])
    return Fetch(argv, without_token(env), env.get("HF_TOKEN"))


def _env(plan: Plan, container: Mapping[str, Any]) -> dict[str, str]:
    secrets = {secret.kubernetes: marker(secret) for secret in plan.secrets if secret.kubernetes}
    env: dict[str, str] = {}
    for entry in container.get("env", ()):
        if "valueFrom" in entry:
            reference = entry["valueFrom"]["secretKeyRef"]
            env[entry["name"]] = secrets[reference["name"], reference["key"]]
        else:
            env[entry["name"]] = _expand(entry["value"], env)
    return env


def _expand(text: str, env: Mapping[str, str]) -> str:
    """As the kubelet does: k8s.io/kubernetes/third_party/forked/golang/expansion/expand.go."""
    assert isinstance(text, str), f"{text!r} is not text"

    def one(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else env.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", one, text)


def _service_port(
    objects: Sequence[Mapping[str, Any]], labels: Mapping[str, str], engine: Mapping[str, Any]
) -> int:
    """The port behind the Service that selects these Pods, which must be the one that it publishes."""
    (service,) = (
        each["spec"]
        for each in objects
        if each["kind"] == "Service" and each["spec"]["selector"].items() <= labels.items()
    )
    (port,) = service["ports"]
    named = {each["name"]: each["containerPort"] for each in engine["ports"]}
    behind = named[port["targetPort"]]
    assert port["port"] == behind
    return int(behind)
