"""What a cluster says of Deployments and Pods, reduced to what a person waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from llmdeploy.targets.kubernetes.meta import DOWNLOAD

Found = Mapping[str, Any]

# Of an engine and of its download, it is the name of the Deployment.
_INSTANCE = "app.kubernetes.io/instance"
_COMPONENT = "app.kubernetes.io/component"
_REVISION = "deployment.kubernetes.io/revision"


class Container(Struct, frozen=True):
    """`state` is running, waiting or terminated, `reason` why; `died` is how it ended, or the one before it."""

    name: str
    state: str
    reason: str
    message: str
    restarts: int
    died: str
    previous: bool
    """Whether it is the log of the one before that tells."""

    @property
    def text(self) -> str:
        again = f" after {self.restarts} restarts" if self.restarts else ""
        if self.state == "running":
            return f"runs{again}"
        if not self.died:
            return (self.reason or self.state) + (f", {self.message}" if self.message else "")
        loops = f", {self.reason}" if self.state == "waiting" and self.reason else ""
        return f"ended ({self.died}){loops}{again}"


class Pod(Struct, frozen=True):
    """A Pod that is meant to run. `about` is the container that it is not ready for; None for none."""

    name: str
    deployment: str
    downloads: bool
    ready: bool
    about: Container | None
    text: str


class State(Struct, frozen=True):
    """`pods` are those that are meant; `problems` says, by Deployment, why it has no Pods of them.

    `leaving` are the Deployments whose old Pods are not gone yet.
    """

    pods: Sequence[Pod] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    leaving: frozenset[str] = frozenset()


def state(found: Sequence[Found], jobs: frozenset[str]) -> State:
    """Sort out what was found. `jobs` are the downloads that are meant."""
    deployments = [each for each in found if each["kind"] == "Deployment"]
    newest = _newest(found)
    observed = {each["metadata"]["name"] for each in deployments if _is_observed(each)}
    pods = [each for each in found if each["kind"] == "Pod"]
    meant = [each for each in pods if _is_meant(each, newest, observed, jobs)]
    return State(
        tuple(map(_pod, meant)),
        dict(_problems(deployments)),
        frozenset(_label(each, _INSTANCE) for each in pods if "deletionTimestamp" in each["metadata"]),
    )


def is_rolled_out(deployment: Found) -> bool:
    """Judge as `kubectl rollout status` does (polymorphichelpers/rollout_status.go)."""
    status = deployment.get("status", {})
    updated: int = status.get("updatedReplicas", 0)
    # None is left of before, and all are available.
    settled: bool = status.get("replicas", 0) <= updated <= status.get("availableReplicas", 0)
    wanted: int = deployment["spec"].get("replicas", 1)
    return _is_observed(deployment) and updated >= wanted and settled


def has_failed(job: Found) -> bool:
    return bool(_condition(job, "Failed").get("status") == "True")


def _is_observed(deployment: Found) -> bool:
    seen: int = deployment.get("status", {}).get("observedGeneration", 0)
    return seen >= int(deployment["metadata"].get("generation", 0))


def _newest(found: Sequence[Found]) -> dict[str, str]:
    """Return the Deployment of each ReplicaSet that is its newest and shall have Pods, by its name.

    The controller writes a revision on each; one that comes back by a rollback gets a new one.
    """
    newest: dict[str, tuple[int, Found]] = {}
    for each in found:
        if each["kind"] == "ReplicaSet" and (owner := _owner(each, "Deployment")):
            revision = int(each["metadata"].get("annotations", {}).get(_REVISION, 0))
            newest[owner] = max(newest.get(owner, (-1, each)), (revision, each), key=lambda pair: pair[0])
    return {
        each["metadata"]["name"]: owner
        for owner, (_, each) in newest.items()
        if each["spec"].get("replicas", 1)
    }


def _is_meant(pod: Found, newest: Mapping[str, str], observed: set[str], jobs: frozenset[str]) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    if job := _owner(pod, "Job"):
        return job in jobs
    # Until the controller has seen a change, what is the newest is the old one.
    return newest.get(_owner(pod, "ReplicaSet")) in observed


def _owner(item: Found, kind: str) -> str:
    owners = item["metadata"].get("ownerReferences", ())
    return next((str(each["name"]) for each in owners if each["kind"] == kind), "")


def _label(item: Found, name: str) -> str:
    return str(item["metadata"].get("labels", {}).get(name, ""))


def _problems(deployments: Sequence[Found]) -> Iterator[tuple[str, str]]:
    """Say why Pods cannot be made: a quota, or what the namespace does not admit."""
    for each in deployments:
        failure = _condition(each, "ReplicaFailure")
        if failure.get("status") == "True":
            yield each["metadata"]["name"], failure.get("message", "")


def _condition(item: Found, kind: str) -> Found:
    conditions: Sequence[Found] = item.get("status", {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), {})


def _pod(item: Found) -> Pod:
    about = None if _is_done(item) else next(_unready(item), None)
    return Pod(
        name=item["metadata"]["name"],
        deployment=_label(item, _INSTANCE),
        downloads=_label(item, _COMPONENT) == DOWNLOAD,
        ready=_is_done(item) or _condition(item, "Ready").get("status") == "True",
        about=about,
        text=_text(item, about),
    )


def _is_done(item: Found) -> bool:
    return bool(item.get("status", {}).get("phase") == "Succeeded")


def _unready(item: Found) -> Iterator[Container]:
    """Yield the containers that are not ready, in the order in which they run.

    An init container is ready when it has ended well, and a sidecar among them while it runs.
    """
    status = item.get("status", {})
    for statuses in ("initContainerStatuses", "containerStatuses"):
        for each in status.get(statuses) or ():
            if not each.get("ready"):
                yield _container(each)


def _container(status: Found) -> Container:
    state, detail = next(iter((status.get("state") or {"waiting": {}}).items()))
    before = (status.get("lastState") or {}).get("terminated")
    ended = detail if state == "terminated" else before or {}
    return Container(
        name=status["name"],
        state=state,
        reason=detail.get("reason", ""),
        message=" ".join(detail.get("message", "").split()),
        restarts=status.get("restartCount", 0),
        died=_died(ended),
        previous=before is not None and state != "terminated",
    )


def _died(ended: Found) -> str:
    if not ended:
        return ""
    status = f"exit status {ended.get('exitCode', 0)}"
    # "Error" says no more than the status; OOMKilled and StartError do.
    reason = ended.get("reason", "")
    return status if reason in ("", "Error", "Completed") else f"{reason}, {status}"


def _text(item: Found, about: Container | None) -> str:
    scheduled = _condition(item, "PodScheduled")
    if scheduled.get("status") == "False":
        return f"waits for a node: {scheduled.get('message') or scheduled.get('reason', '')}"
    phase = str(item.get("status", {}).get("phase", "Unknown"))
    return f"{about.name} {about.text}" if about else phase.lower()
