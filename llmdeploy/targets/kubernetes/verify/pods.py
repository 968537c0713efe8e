"""What holds for a Pod as a whole, and for what makes Pods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmdeploy.targets.kubernetes.verify.problem import Object, Pod, Problem, pod_of, selects, title
from llmdeploy.targets.kubernetes.verify.quantity import amount

# The rest of a grace period, for the process itself to end.
SPARE_S = 15
LEVEL = "pod-security.kubernetes.io/enforce"


def pods(items: Sequence[Object]) -> Iterator[Problem]:
    levels = {
        i["metadata"]["name"]: i["metadata"].get("labels", {}).get(LEVEL)
        for i in items
        if i["kind"] == "Namespace"
    }
    for item in items:
        if item["kind"] == "Deployment":
            yield from _deployment(item)
        pod = pod_of(item)
        if pod is None:
            continue
        yield from _pod(pod)
        yield from _drain(pod)
        level = levels.get(item["metadata"].get("namespace"))
        yield from _security(pod, level or "privileged")


def _deployment(item: Object) -> Iterator[Problem]:
    spec, pod = item["spec"], pod_of(item)
    strategy = spec.get("strategy", {})
    if strategy.get("type") == "Recreate" and "rollingUpdate" in strategy:
        yield Problem(title(item), ("spec", "strategy"), "`Recreate` takes no `rollingUpdate`")
    if pod is None:
        return
    if not selects(spec.get("selector", {}).get("matchLabels", {}), pod.labels):
        yield Problem(title(item), ("spec", "selector"), "does not select the Pods of its own template")
    deadline = spec.get("progressDeadlineSeconds", 600)
    for path, container in pod.containers():
        probe = container.get("startupProbe", {})
        budget = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3) if probe else 0
        if budget >= deadline:
            message = f"{deadline} s are over before {'.'.join(path)} may have started: {budget} s"
            yield Problem(title(item), ("spec", "progressDeadlineSeconds"), message)


def _pod(pod: Pod) -> Iterator[Problem]:
    legal = {"Job": ("OnFailure", "Never"), "Deployment": ("Always",)}.get(pod.owner["kind"])
    policy = pod.spec.get("restartPolicy", "Always")
    if legal and policy not in legal:
        yield pod.problem(
            ("restartPolicy",), f"`{policy}` is not one of a {pod.owner['kind']}: {', '.join(legal)}"
        )
    if pod.spec.get("enableServiceLinks", True):
        message = "puts `<SERVICE>_PORT=tcp://…` into the environment, which engines read as settings"
        yield pod.problem(("enableServiceLinks",), message)
    names = [volume.get("name") for volume in pod.spec.get("volumes", [])]
    for index, volume in enumerate(pod.spec.get("volumes", [])):
        if names.index(volume.get("name")) != index:
            yield pod.problem(
                ("volumes", str(index), "name"), f"there are two volumes `{volume.get('name')}`"
            )
        size = (volume.get("emptyDir") or {}).get("sizeLimit")
        if size is not None and amount(size) is None:
            yield pod.problem(("volumes", str(index), "emptyDir", "sizeLimit"), f"`{size}` is not a quantity")


def _drain(pod: Pod) -> Iterator[Problem]:
    grace = pod.spec.get("terminationGracePeriodSeconds", 30)
    for path, container in pod.containers():
        hook = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if hook and grace < hook + SPARE_S:
            message = (
                f"{grace} s leave less than {SPARE_S} s after the {hook} s of {'.'.join(path)}'s preStop"
            )
            yield pod.problem(("terminationGracePeriodSeconds",), message)


def _security(pod: Pod, level: str) -> Iterator[Problem]:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    if level == "privileged":
        return
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(field):
            yield pod.problem((field,), f"is not allowed by the namespace's `{level}` level")
    for index, volume in enumerate(pod.spec.get("volumes", [])):
        if "hostPath" in volume:
            yield pod.problem(
                ("volumes", str(index)), f"`hostPath` is not allowed by the namespace's `{level}` level"
            )
    shared = pod.spec.get("securityContext", {})
    for path, container in pod.containers():
        own = shared | container.get("securityContext", {})
        if own.get("privileged"):
            yield pod.problem(
                (*path, "securityContext"), f"`privileged` is not allowed by the `{level}` level"
            )
        if level == "restricted" and (missing := _unrestricted(own)):
            yield pod.problem(
                (*path, "securityContext"), f"the `restricted` level of the namespace needs {missing}"
            )


def _unrestricted(context: Object) -> str:
    needs = {
        "runAsNonRoot: true": context.get("runAsNonRoot") is True,
        "a runAsUser other than 0": context.get("runAsUser") != 0,
        "allowPrivilegeEscalation: false": context.get("allowPrivilegeEscalation") is False,
        "capabilities.drop: [ALL]": "ALL" in context.get("capabilities", {}).get("drop", []),
        "seccompProfile": context.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
    }
    return ", ".join(need for need, met in needs.items() if not met)
