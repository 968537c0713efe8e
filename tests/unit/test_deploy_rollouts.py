"""What is told and judged of Pods while rollouts are waited for."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from support.cluster_objects import (
    UNSCHEDULABLE,
    deployment,
    failing,
    listed,
    looping,
    machine,
    pod,
    replica_set,
    running,
    waiting,
)
from support.kube_plans import kubernetes, plan, service
from support.recording_runner import Clock, Ending, RecordingRunner, refused

from llmdeploy.plan.model import Plan, Storage
from llmdeploy.runtime.deploy.kubernetes import Kubernetes
from llmdeploy.targets.kubernetes.manifests import flat, manifests

TWO = plan(service(), service("batch"))
JOBS = plan(storage=Storage(access="ReadWriteMany"))
IN = ("kubectl", "--context", "lab", "-n", "llm")
PODS = (
    *(*IN, "get", "deployments.apps,replicasets.apps,pods"),
    *("-l", "app.kubernetes.io/part-of=llm", "-o", "json"),
)
ROLLOUT = (*IN, "rollout", "status")


def watch(runner: RecordingRunner, made: Plan | None = None) -> list[str]:
    told: list[str] = []
    clock = runner.clock
    place = Kubernetes(made or plan(), Path("/built"), runner, "lab", sleep=clock.sleep, clock=clock)
    try:
        place.apply(told.append, None)
    finally:
        runner.commands = runner.commands[3:]  # those that apply
    return told


def cluster(*items: dict[str, Any]) -> str:
    return listed(deployment("llm-chat", ready=False), replica_set("llm-chat", 1), *items)


def test_progress_is_told_every_ten_seconds() -> None:
    downloading = pod("llm-chat", waiting("PodInitializing"), init=(running(name="download"),))
    loading = pod("llm-chat", running())
    runner = machine().ends(ROLLOUT, Ending(35))
    runner.says(PODS, cluster(), cluster(downloading), cluster(loading)).says(" logs ", "a\n40%\n")
    assert watch(runner) == [
        "chat: 10 s, no Pod yet",
        "chat: 20 s, Pod llm-chat-rs1-x: download runs; 40%",
        "chat: 30 s, Pod llm-chat-rs1-x: engine runs; 40%",
        "chat: ready after 35 s",
    ]
    assert runner.commands == [
        PODS,
        PODS,
        (*IN, "logs", "llm-chat-rs1-x", "-c", "download", "--tail", "40"),
        PODS,
        (*IN, "logs", "llm-chat-rs1-x", "-c", "engine", "--tail", "40"),
    ]


REFUSING = deployment("llm-chat", ready=False)
REFUSING["status"]["conditions"] = [
    {"type": "ReplicaFailure", "status": "True", "message": 'pods "x" is forbidden: violates PodSecurity'}
]


@pytest.mark.parametrize(
    ("items", "text"),
    [
        (
            [pod("llm-chat", phase="Pending", conditions=(UNSCHEDULABLE,))],
            "Pod llm-chat-rs1-x: waits for a node: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
        ),
        (
            [pod("llm-chat", waiting("ImagePullBackOff", 'Back-off pulling image "x"'))],
            'Pod llm-chat-rs1-x: engine ImagePullBackOff, Back-off pulling image "x"',
        ),
        ([REFUSING], 'no Pod can be made: pods "x" is forbidden: violates PodSecurity'),
        ([pod("llm-chat", running(), leaving=True)], "its old Pod finishes what it answers"),
        ([pod("llm-chat", looping(1), revision=0)], "no Pod yet"),
    ],
)
def test_what_a_model_waits_for_is_told(items: list[dict[str, Any]], text: str) -> None:
    runner = machine().ends(ROLLOUT, Ending(15)).says(PODS, cluster(*items))
    assert watch(runner)[0] == f"chat: 10 s, {text}"


def test_a_shared_download_is_told_of_rather_than_the_pod_that_waits_for_it() -> None:
    objects = flat(manifests(JOBS, kubernetes()))
    job = next(item["metadata"]["name"] for item in objects if item["kind"] == "Job")
    waits = pod("llm-chat", waiting("PodInitializing"), init=(running(name="wait"),))
    fetches = pod("llm-chat", running(name="download"), job=job)
    older = pod("llm-chat", looping(9), job="llm-chat-00000000")
    runner = (
        machine().ends(ROLLOUT, Ending(15)).says(PODS, cluster(waits, older, fetches)).says(" logs ", "40%")
    )
    assert watch(runner, JOBS)[0] == f"chat: 10 s, Pod {job}-x: download runs; 40%"


def test_a_cluster_that_does_not_answer_for_a_while_is_waited_for() -> None:
    runner = machine().ends(ROLLOUT, Ending(25))
    runner.says(PODS, refused("Unable to connect to the server: net/http: TLS handshake timeout"), cluster())
    assert watch(runner)[-1] == "chat: ready after 25 s"


OOM = "INFO\nTraceback\ntorch.OutOfMemoryError: CUDA out of memory\n"


def test_an_engine_that_crashes_again_and_again_is_given_up() -> None:
    runner = machine().ends(ROLLOUT, Ending(9999)).says(" logs ", OOM)
    runner.says(PODS, *(cluster(pod("llm-chat", looping(n, "OOMKilled", 137))) for n in (1, 2, 3)))
    failed = failing(lambda: watch(runner, TWO))
    assert failed.message.startswith(
        "`chat` will not get ready: Pod llm-chat-rs1-x, container engine: ended (OOMKilled, exit status 137), "
        "CrashLoopBackOff after 3 restarts: "
    )
    assert failed.message.endswith("OutOfMemoryError: CUDA out of memory")
    assert failed.lines == ("INFO", "Traceback", "torch.OutOfMemoryError: CUDA out of memory")
    logs = ("logs", "llm-chat-rs1-x", "-c", "engine")
    assert failed.help == f"`{' '.join((*IN, *logs))} --previous` has the rest"
    assert (*IN, *logs, "--tail", "400", "--previous") in runner.commands
    assert runner.clock.now == 30
    # Every program that was started is ended.
    assert [child.signals[0] for _, child in runner.started] == [signal.SIGTERM] * 2


def test_what_crashed_before_gets_one_more_start() -> None:
    runner = machine().ends(ROLLOUT, Ending(35))
    runner.says(PODS, cluster(pod("llm-chat", looping(9))))
    assert watch(runner)[-1] == "chat: ready after 35 s"
    runner = machine().ends(ROLLOUT, Ending(35))
    runner.says(PODS, *(cluster(pod("llm-chat", looping(n))) for n in (9, 10)))
    assert "after 10 restarts" in failing(lambda: watch(runner)).message


@pytest.mark.parametrize(
    "items",
    [
        (deployment("llm-chat", observed=False), replica_set("llm-chat", 1)),
        (deployment("llm-chat"), replica_set("llm-chat", 1), replica_set("llm-chat", 2)),
        (deployment("llm-chat"), replica_set("llm-chat", 1, replicas=0)),
    ],
    ids=["not seen yet", "replaced", "scaled down"],
)
def test_pods_of_before_are_not_judged(items: tuple[dict[str, Any], ...]) -> None:
    runner = machine().ends(ROLLOUT, Ending(45))
    runner.says(PODS, *(listed(*items, pod("llm-chat", looping(n))) for n in (1, 2, 3, 4)))
    assert watch(runner)[-1] == "chat: ready after 45 s"


@pytest.mark.parametrize("reason", ["ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"])
def test_what_only_a_person_can_mend_is_given_up_after_a_minute(reason: str) -> None:
    runner = machine().ends(ROLLOUT, Ending(9999))
    runner.says(PODS, cluster(pod("llm-chat", waiting(reason, 'secret "hf-token" not found'))))
    failed = failing(lambda: watch(runner))
    assert failed.message == (
        f'`chat` will not get ready: Pod llm-chat-rs1-x, container engine: {reason}, secret "hf-token" not found'
    )
    assert failed.help == f"`{' '.join(IN)} describe pod llm-chat-rs1-x` has the rest"
    assert runner.clock.now == 70


def test_what_has_been_mended_in_time_goes_on() -> None:
    bad, good = pod("llm-chat", waiting("CreateContainerConfigError")), pod("llm-chat", running())
    runner = machine().ends(ROLLOUT, Ending(150))
    runner.says(PODS, *[cluster(bad)] * 5, cluster(good), *[cluster(bad)] * 5, cluster(good))
    assert watch(runner)[-1] == "chat: ready after 150 s"


LATE = Ending(15, 1, "Waiting for deployment\nerror: timed out waiting for the condition\n")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            [pod("llm-chat", running())],
            "Pod llm-chat-rs1-x, container engine: runs: ValueError: no (error: timed out waiting for the condition)",
        ),
        (
            [pod("llm-chat", running(restarts=2, last={"exitCode": 1, "reason": "Error"}))],
            "container engine: runs after 2 restarts: ValueError: no",
        ),
        (
            [pod("llm-chat", waiting("ImagePullBackOff", "manifest unknown"))],
            "container engine: ImagePullBackOff, manifest unknown (error:",
        ),
        ([pod("llm-chat", conditions=(UNSCHEDULABLE,))], "Pod llm-chat-rs1-x: waits for a node: 0/2 nodes"),
    ],
)
def test_a_rollout_that_takes_too_long_is_explained_by_its_pod(items: list[Any], message: str) -> None:
    runner = machine().ends(ROLLOUT, LATE).says(PODS, cluster(*items)).says(" logs ", "a\nValueError: no\n")
    failed = failing(lambda: watch(runner))
    assert failed.message.startswith("`chat` is not ready: Pod llm-chat-rs1-x")
    assert message in failed.message


def test_pods_that_cannot_be_made_are_explained() -> None:
    runner = machine().ends(ROLLOUT, LATE).says(PODS, listed(REFUSING))
    failed = failing(lambda: watch(runner))
    assert failed.message.startswith(
        '`chat` is not ready: no Pod can be made: pods "x" is forbidden: violates PodSecurity (error: timed out'
    )


def test_kubectls_own_troubles_are_kubectls_own_words() -> None:
    ending = Ending(15, 1, 'Error from server (NotFound): deployments.apps "llm-chat" not found\n')
    runner = machine().ends(ROLLOUT, ending).says(PODS, cluster(pod("llm-chat", looping(2))))
    assert failing(lambda: watch(runner)).message.endswith('deployments.apps "llm-chat" not found')


def test_an_interrupt_ends_what_was_started() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    runner = machine(Clock(events=[(3, interrupt)])).ends(ROLLOUT, Ending(9999))
    with pytest.raises(KeyboardInterrupt):
        watch(runner, TWO)
    assert [child.signals[0] for _, child in runner.started] == [signal.SIGTERM] * 2
