"""How weights reach the claim.

ReadWriteOnce: the Pod's own init container fetches them, for a Job might pin the volume to a node without the
GPU. ReadWriteMany: one Job does, and only it sees the token and the network; the Pods wait. Either leaves a
marker, so that a restart does not depend on the Hub.
"""

from __future__ import annotations

from llmdeploy.targets.kubernetes.container import SCRATCH, SCRATCH_MOUNT, claim_volume, env, pod_basics
from llmdeploy.targets.kubernetes.meta import DOWNLOAD, Object, Values, labels, object_of
from llmdeploy.targets.kubernetes.text import digest

# Group-writable, because the next model's download may run as another user of the same group.
FETCH = 'marker=$1; shift; test -e "$marker" && exit 0; umask 0002; "$@" && : > "$marker"'
WAIT = 'until test -e "$1"; do echo "waiting for the weights"; sleep 10; done'

# No device hook needs the root filesystem of these, unlike the engine's.
READ_ONLY_ROOT = {"readOnlyRootFilesystem": True}
JOB_DEADLINE_S = 21600
"""At least: the Job ends no earlier than the rollout that waits for it, and a slow line is reported there, not cut off."""


def shared(values: Values) -> bool:
    return bool(values["storage"]["accessMode"] == "ReadWriteMany")


def by_job(service: Values, values: Values) -> bool:
    return shared(values) and bool(service["weights"].get("download"))


def in_pod(service: Values, values: Values) -> bool:
    """Whether the engine's Pod itself goes out for weights, and so needs the way there."""
    return bool(service["weights"]) and not by_job(service, values)


def claim_name(project: str, model: str, values: Values) -> str:
    return f"{project}-models" if shared(values) else f"{project}-{model}-models"


def init_containers(service: Values, values: Values) -> list[Object]:
    if not service["weights"].get("download"):
        return []
    return [_wait(service)] if shared(values) else [_fetch(service)]


def job(project: str, model: str, service: Values, values: Values) -> Object:
    """Return the Job. Its template is immutable, so its name carries the hash of all that is in it."""
    spec = {
        **pod_basics(project, model, service, values),
        "restartPolicy": "OnFailure",
        "containers": [_fetch(service)],
        "volumes": [claim_volume(claim_name(project, model, values)), SCRATCH],
    }
    patches = [patch for patch in values["patches"] if patch["kind"] == "Job"]
    content = {"spec": spec, "engine": service["engine"], "version": service["version"], "patches": patches}
    marks = labels(project, model, service, DOWNLOAD)
    return object_of(
        "batch/v1",
        "Job",
        f"{project}-{model}-{digest(content)}",
        marks,
        spec={
            "backoffLimit": 6,
            "activeDeadlineSeconds": max(JOB_DEADLINE_S, service["progressDeadlineSeconds"]),
            "ttlSecondsAfterFinished": 86400,
            "podReplacementPolicy": "Failed",  # never two writers of one snapshot
            "template": {"metadata": {"labels": marks}, "spec": spec},
        },
    )


def _marker(service: Values) -> str:
    weights = service["weights"]
    fetched = {key: weights["download"][key] for key in ("command", "env")}
    return f"{weights['path']}/.llmdeploy-{digest(fetched)}"


def _fetch(service: Values) -> Object:
    download = service["weights"]["download"]
    return _container(
        service,
        DOWNLOAD,
        command=["sh", "-c", FETCH, DOWNLOAD, _marker(service)],
        args=download["command"],
        env=env(download["env"], download["secretEnv"]),
        resources={"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
    )


def _wait(service: Values) -> Object:
    return _container(
        service,
        "wait",
        read_only=True,
        command=["sh", "-c", WAIT, "wait", _marker(service)],
        resources={"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "32Mi"}},
    )


def _container(service: Values, name: str, *, read_only: bool = False, **fields: object) -> Object:
    return {
        "name": name,
        "image": service["image"],
        "imagePullPolicy": "IfNotPresent",
        **fields,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": service["containerSecurityContext"] | READ_ONLY_ROOT,
        "volumeMounts": [
            {"name": "models", "mountPath": service["weights"]["path"], "readOnly": read_only},
            SCRATCH_MOUNT,
        ],
    }
