"""The Pod that an engine runs in."""

from __future__ import annotations

from llmdeploy.targets.kubernetes import download
from llmdeploy.targets.kubernetes.container import SCRATCH, SCRATCH_MOUNT, claim_volume, env, pod_basics
from llmdeploy.targets.kubernetes.meta import ENGINE, Object, Values
from llmdeploy.targets.kubernetes.service_values import PRODUCT_LABEL
from llmdeploy.targets.kubernetes.text import digest


def config_hash(service: Values) -> str:
    """Return the hash of what the engine runs with; a changed file would otherwise not restart it."""
    return digest({key: service[key] for key in ("image", "command", "args", "env", "files")})


def pod_spec(project: str, model: str, service: Values, values: Values) -> Object:
    inits = download.init_containers(service, values)
    return {
        **pod_basics(project, model, service, values),
        **_placement(service),
        "terminationGracePeriodSeconds": service["drain"]["graceSeconds"],
        **({"initContainers": inits} if inits else {}),
        "containers": [_engine(service)],
        "volumes": _volumes(project, model, service, values),
    }


def _placement(service: Values) -> Object:
    gpu = service["gpu"]
    found: Object = {}
    if service["nodeSelector"]:
        found["nodeSelector"] = service["nodeSelector"]
    if gpu.get("products"):
        expression = {"key": PRODUCT_LABEL, "operator": "In", "values": gpu["products"]}
        terms = [{"matchExpressions": [expression]}]
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        found["affinity"] = {"nodeAffinity": required}
    if service["tolerations"]:
        found["tolerations"] = service["tolerations"]
    if service["runtimeClassName"]:
        found["runtimeClassName"] = service["runtimeClassName"]
    return found


def _engine(service: Values) -> Object:
    container: Object = {
        "name": ENGINE,
        "image": service["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": service["command"],
        "args": service["args"],
        "env": env(service["env"], service["secretEnv"]),
        "ports": [{"name": "http", "containerPort": service["port"], "protocol": "TCP"}],
        "resources": _resources(service),
        **{f"{name}Probe": _probe(probe) for name, probe in service["probes"].items()},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": service["containerSecurityContext"],
        "volumeMounts": _mounts(service),
    }
    if seconds := service["drain"]["preStopSeconds"]:
        # An engine that is told to stop refuses new requests, so its endpoint has to be gone everywhere first.
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": seconds}}}
    return container


def _resources(service: Values) -> Object:
    # No limit on CPU: being throttled stalls the GPU. Devices are never overcommitted: request is limit.
    gpu = service["gpu"]
    devices = {gpu["resource"]: str(gpu["count"])} if gpu else {}
    memory = {"memory": service["resources"]["memory"], **devices}
    return {"requests": {"cpu": service["resources"]["cpu"], **memory}, "limits": memory}


def _probe(probe: Values) -> Object:
    timing = {key: value for key, value in probe.items() if key != "path"}
    return {"httpGet": {"path": probe["path"], "port": "http"}, **timing}


def _mounts(service: Values) -> list[Object]:
    weights, cache = service["weights"], service["cache"]
    return [
        *(
            [{"name": "models", "mountPath": weights["path"], "readOnly": weights["readOnly"]}]
            if weights
            else []
        ),
        *([{"name": "cache", "mountPath": cache["path"]}] if cache else []),
        *(
            {"name": "files", "mountPath": file["path"], "subPath": key, "readOnly": True}
            for key, file in sorted(service["files"].items())
        ),
        {"name": "dshm", "mountPath": "/dev/shm"},
        SCRATCH_MOUNT,
    ]


def _volumes(project: str, model: str, service: Values, values: Values) -> list[Object]:
    claim = download.claim_name(project, model, values)
    cache = service["cache"]
    return [
        *([claim_volume(claim)] if service["weights"] else []),
        *([{"name": "cache", "emptyDir": {"sizeLimit": cache["size"]}}] if cache else []),
        *([{"name": "files", "configMap": {"name": f"{project}-{model}"}}] if service["files"] else []),
        {"name": "dshm", "emptyDir": {"medium": "Memory", "sizeLimit": service["shmSize"]}},
        SCRATCH,
    ]
