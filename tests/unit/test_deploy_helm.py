"""`apply` and `down` for the target helm, on a machine that only says what helm and kubectl would say."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from support.cluster_objects import (
    deployment,
    failing,
    listed,
    looping,
    machine,
    pod,
    replica_set,
    running,
    shown,
    waiting,
)
from support.kube_plans import plan, plans, service
from support.recording_runner import Argv, Clock, Ending, RecordingRunner, refused, said
from support.tools import Run

from llmdeploy.plan.model import Plan, Storage
from llmdeploy.runtime.deploy.differences import objects_in, of_manifests
from llmdeploy.runtime.deploy.helm import Helm
from llmdeploy.runtime.deploy.model import Changes
from llmdeploy.runtime.runner import NotInstalled
from llmdeploy.targets.helm import TARGET
from llmdeploy.targets.kubernetes.manifests import flat, manifests

HELM = ("helm", "--kube-context", "lab")
IN = ("kubectl", "--context", "lab", "-n", "llm")
OURS = "app.kubernetes.io/part-of=llm,app.kubernetes.io/managed-by=Helm"
SHORT = ("helm", "version", "--short")
HISTORY = (*HELM, "history", "llm", "-o", "json", "-n", "llm")
TEMPLATE = ("helm", "template", "llm", "/built/helm/llm", "-n", "llm", "--no-hooks")
MANIFEST = (*HELM, "get", "manifest", "llm", "-n", "llm")
UPGRADE = (
    *(*HELM, "upgrade", "--install", "llm", "/built/helm/llm", "-n", "llm", "--create-namespace"),
    *("--rollback-on-failure", "--wait", "--timeout", "105m"),
)
UNINSTALL = (
    *(*HELM, "uninstall", "llm", "-n", "llm", "--ignore-not-found", "--wait"),
    *("--cascade", "foreground", "--timeout", "270s"),
)
DEPLOYMENTS = (*IN, "get", "deployments.apps", "-l", "app.kubernetes.io/part-of=llm", "-o", "json")
PODS = (
    *(*IN, "get", "deployments.apps,replicasets.apps,pods"),
    *("-l", "app.kubernetes.io/part-of=llm", "-o", "json"),
)
CLAIMS = (*IN, "get", "persistentvolumeclaim", "-l", OURS, "-o", "name")
MISSING = refused("Error: release: not found")

CHART = """\
---
# Source: llm/templates/deployments.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm-chat}
spec: {replicas: 1, template: {spec: {containers: [{args: ["--max", "1"]}]}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: llm-chat-models
  annotations: {helm.sh/resource-policy: keep}
---
apiVersion: v1
kind: Service
metadata: {name: llm-chat, annotations: {since: 2026-11-25}}
"""


def history(*statuses: str) -> str:
    rows = [
        {"revision": index, "status": status, "description": f"It is {status}"}
        for index, status in enumerate(statuses, 1)
    ]
    return json.dumps(rows)


def lab(clock: Clock | None = None) -> RecordingRunner:
    """A cluster on which the release is, as it is built, with all ready."""
    return (
        machine(clock)
        .says(SHORT, "v4.3.1+gc0d08d0\n")
        .says(HISTORY, history("superseded", "deployed"))
        .says(TEMPLATE[:2], CHART)
        .says(MANIFEST, CHART)
        .says(UNINSTALL, 'release "llm" uninstalled\n')
        .says(DEPLOYMENTS, listed(deployment("llm-chat")))
    )


def bring(runner: RecordingRunner, made: Plan | None = None) -> Helm:
    clock = runner.clock
    return Helm(made or plan(), Path("/built"), runner, "lab", sleep=clock.sleep, clock=clock)


# Reaching it


def test_helm_is_looked_at_too() -> None:
    runner = lab()
    place = bring(runner)
    place.check()
    assert runner.commands[:2] == [("kubectl", "--context", "lab", "version", "-o", "json"), SHORT]
    assert place.where == "context lab, namespace llm"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (said("v3.19.0+g1234567"), "Helm v3.19.0+g1234567 is too old"),
        (NotInstalled("`helm` is not installed"), "helm is not installed"),
        (refused("boom"), "helm does not tell its version: boom"),
    ],
)
def test_helm_3_will_not_do(answer: Any, message: str) -> None:
    failed = failing(bring(lab().says(SHORT, answer)).reach)
    assert message in failed.message
    assert "Helm 4" in failed.help


def test_the_namespace_for_the_secrets_is_made_by_hand() -> None:
    failed = failing(bring(lab().says("get namespace", "")).check)
    assert failed.help.startswith(
        "kubectl --context lab create namespace llm; kubectl --context lab -n llm create"
    )


# What would change


def test_unchanged_and_ready_is_no_change() -> None:
    runner = lab()
    assert bring(runner).changes() == Changes([])
    assert runner.commands == [HISTORY, TEMPLATE, MANIFEST, DEPLOYMENTS]


@pytest.mark.parametrize("found", [MISSING, said(history("uninstalled"))])
def test_all_is_new_where_there_is_no_release(found: Any) -> None:
    runner = lab().says(HISTORY, found).says("get namespace", "")
    assert shown(bring(runner).changes()) == [
        ("create", "Namespace llm", ""),
        ("create", "Deployment llm-chat", ""),
        ("create", "PersistentVolumeClaim llm-chat-models", ""),
        ("create", "Service llm-chat", ""),
    ]
    assert MANIFEST not in runner.commands


def test_objects_are_compared_however_they_are_written() -> None:
    block = "spec:\n  template:\n    spec:\n      containers:\n      - args:\n        - --max\n        - '1'\n  replicas: 1\n"
    flow = next(line for line in CHART.splitlines(keepends=True) if line.startswith("spec: {"))
    other = CHART.replace(flow, block).replace("# Source", "# x")
    assert of_manifests(other, CHART) == Changes([])


def test_what_differs_is_told_by_object() -> None:
    before = (
        CHART.replace('"1"]', '"2"]').replace("2026-11-25", "2026-11-24")
        + "---\nkind: ConfigMap\nmetadata: {name: llm-chat}\n---\nkind: PersistentVolumeClaim\n"
        "metadata: {name: llm-old-models, annotations: {helm.sh/resource-policy: keep}}\n"
    )
    changes = of_manifests(before, CHART + "---\nkind: HTTPRoute\nmetadata: {name: llm-chat}\n")
    assert shown(changes) == [
        ("restart", "Deployment llm-chat", "its Pods are replaced; the model loads anew"),
        ("update", "Service llm-chat", ""),
        ("create", "HTTPRoute llm-chat", ""),
        ("remove", "ConfigMap llm-chat", "llm.yaml has it no more"),
    ]
    assert "--- release/Deployment/llm-chat\n+++ built/Deployment/llm-chat\n" in changes.diff
    assert '-        - "2"\n+        - "1"\n' in changes.diff
    assert "ConfigMap" not in changes.diff


def test_a_change_around_the_pods_restarts_nothing() -> None:
    assert shown(of_manifests(CHART.replace("replicas: 1", "replicas: 2"), CHART)) == [
        ("update", "Deployment llm-chat", "")
    ]


def test_what_is_not_ready_is_waited_for() -> None:
    runner = lab().says(DEPLOYMENTS, listed(deployment("llm-chat", ready=False)))
    assert shown(bring(runner).changes()) == [("update", "Deployment llm-chat", "not ready yet")]


def test_an_upgrade_that_failed_is_tried_again() -> None:
    runner = lab().says(HISTORY, history("deployed", "failed"))
    assert shown(bring(runner).changes()) == [("update", "release llm", "It is failed")]


ROLLBACK = "helm --kube-context lab rollback llm 1 -n llm"
REMOVE = "helm --kube-context lab uninstall llm -n llm"


@pytest.mark.parametrize(
    ("statuses", "repair"),
    [
        (("deployed", "pending-upgrade"), ROLLBACK),
        (("deployed", "failed", "pending-rollback"), ROLLBACK),
        (("pending-install",), REMOVE),
        (("deployed", "uninstalling"), REMOVE),
    ],
)
def test_a_release_that_hangs_is_a_persons_to_settle(statuses: tuple[str, ...], repair: str) -> None:
    failed = failing(bring(lab().says(HISTORY, history(*statuses))).changes)
    assert failed.message == f"release `llm` is {statuses[-1]}: a helm is at it, or one was killed"
    assert failed.help == f"if none is: {repair}"


@pytest.mark.parametrize(
    ("rule", "answer", "message"),
    [
        (
            HISTORY,
            refused("Error: kubernetes cluster unreachable"),
            "helm: Error: kubernetes cluster unreachable",
        ),
        (HISTORY, said("[{}]"), "not understood"),
        (TEMPLATE, refused("Error: boom"), "helm cannot render the chart: Error: boom"),
        (TEMPLATE, said("a: ["), "not understood"),
    ],
)
def test_what_helm_cannot_do_is_said(rule: Argv, answer: Any, message: str) -> None:
    assert message in failing(bring(lab().says(rule, answer)).changes).message


# Applying


def test_apply_is_one_command() -> None:
    runner = lab().ends(UPGRADE, Ending(15)).says(PODS, listed())
    told: list[str] = []
    bring(runner, plan(service(), service("batch"))).apply(told.append, None)
    assert [argv for argv, _ in runner.started] == [UPGRADE]
    assert runner.commands == [PODS]
    assert told == [
        "chat: 10 s, no Pod yet",
        "batch: 10 s, no Pod yet",
        "chat: ready after 15 s",
        "batch: ready after 15 s",
    ]


def test_a_limit_is_instead_of_the_plans_time() -> None:
    runner = lab().ends(HELM, Ending())
    bring(runner).apply(lambda line: None, 90)
    assert runner.started[0][0] == (*UPGRADE[:-1], "90s")


def test_a_download_that_has_failed_is_made_anew() -> None:
    made = plan(storage=Storage(access="ReadWriteMany"))
    objects = flat(manifests(made, made.options["helm"]))
    job = next(item["metadata"]["name"] for item in objects if item["kind"] == "Job")
    failed = {"metadata": {"name": job}, "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    runner = lab().says("get jobs.batch", listed(failed)).says("delete job", "").ends(HELM, Ending())
    place = bring(runner, made)
    assert shown(place.changes()) == [("restart", f"Job {job}", "its download has failed")]
    place.apply(lambda line: None, None)
    assert runner.commands[-1] == (*IN, "delete", f"job.batch/{job}", "--ignore-not-found")


def found(*items: dict[str, Any]) -> str:
    return listed(deployment("llm-chat", ready=False), replica_set("llm-chat", 2), *items)


BEFORE = found(replica_set("llm-chat", 1, replicas=0), pod("llm-chat", running(), revision=2))
LATE = (
    'level=WARN msg="upgrade failed" name=llm error="resource Deployment/llm/llm-chat not ready"\n'
    "Error: UPGRADE FAILED: release llm failed, and has been rolled back due to rollback-on-failure being set: "
    "resource Deployment/llm/llm-chat not ready. status: InProgress, message: Available: 0/1\n"
    "context deadline exceeded\n"
)
TOOK_BACK = "release `llm` is deployed, revision 3: It is deployed"


def upgrade_that_fails(*seen: str, log: str = "ValueError: no\n") -> RecordingRunner:
    """It fails after 35 s and has rolled back after 65; what is seen then are the Pods of before."""
    runner = lab(Clock()).ends(UPGRADE, Ending(65, 1, LATE)).says(PODS, *seen).says(" logs ", log)
    runner.says(HISTORY, history("superseded", "failed", "deployed"))

    def fail() -> None:
        child = runner.started[0][1]
        child.log.write_text(LATE.splitlines()[0])
        runner.says(PODS, BEFORE).says(" logs ", "of before\n")

    runner.clock.events.append((35, fail))
    return runner


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (
            pod("llm-chat", looping(1), revision=2),
            "ended (exit status 1), CrashLoopBackOff after 1 restarts: ValueError: no",
        ),
        (pod("llm-chat", running(), revision=2), "container engine: runs: ValueError: no"),
        (
            pod("llm-chat", waiting("ImagePullBackOff", "unknown"), revision=2),
            "container engine: ImagePullBackOff, unknown",
        ),
    ],
)
def test_pods_that_helm_has_taken_away_are_remembered(seen: dict[str, Any], message: str) -> None:
    runner = upgrade_that_fails(found(seen))
    failed = failing(lambda: bring(runner).apply(lambda line: None, None))
    assert failed.message.startswith("`chat` is not ready: Pod llm-chat-rs2-x")
    assert message in failed.message
    assert "has been rolled back due to rollback-on-failure" in failed.message
    assert failed.help == TOOK_BACK
    assert "of before" not in failed.lines


def test_a_pod_that_has_become_ready_is_not_to_blame() -> None:
    late, ready = pod("llm-chat", looping(1), revision=2), pod("llm-chat", running(ready=True), revision=2)
    runner = lab().ends(UPGRADE, Ending(25, 1, LATE)).says(PODS, found(late), found(ready))
    failed = failing(lambda: bring(runner).apply(lambda line: None, None))
    assert failed.message.startswith("Error: UPGRADE FAILED")


def test_helm_is_let_take_back_what_will_not_get_ready() -> None:
    runner = lab().says(" logs ", "ValueError: no\n")
    runner.ends(UPGRADE, Ending(9999, 0, "", "Error: release llm failed, and has been uninstalled\n"))
    runner.says(PODS, *(found(pod("llm-chat", looping(n), revision=2)) for n in (1, 2, 3)))
    runner.says(HISTORY, MISSING)
    told: list[str] = []
    failed = failing(lambda: bring(runner).apply(told.append, None))
    assert failed.message.startswith("`chat` will not get ready: Pod llm-chat-rs2-x")
    assert failed.lines == ("ValueError: no",)
    assert failed.help == "helm has taken all of it away again, weights excepted"
    assert told[-1].endswith("helm takes it back; Ctrl-C leaves that undone")
    assert runner.started[0][1].signals[0] == signal.SIGTERM


def test_helms_own_troubles_are_helms_own_words() -> None:
    text = "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n"
    runner = (
        lab().ends(UPGRADE, Ending(1, 1, text)).says(PODS, found(pod("llm-chat", looping(1), revision=2)))
    )
    failed = failing(lambda: bring(runner).apply(lambda line: None, None))
    assert failed.message == text.strip()


def test_fields_of_others_are_a_persons_decision() -> None:
    text = (
        "Error: UPGRADE FAILED: conflict occurred while applying object llm/llm-chat apps/v1, Kind=Deployment: "
        'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas\n'
    )
    runner = lab().ends(UPGRADE, Ending(1, 1, text)).says(PODS, listed())
    failed = failing(lambda: bring(runner).apply(lambda line: None, None))
    assert failed.message == "fields that llmdeploy sets are managed by `kubectl-edit`"
    assert failed.help.endswith(f"{' '.join(UPGRADE)} --force-conflicts")


def test_an_interrupt_ends_helm_and_undo_tells_what_it_has_left() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    runner = lab(Clock(events=[(3, interrupt)])).ends(UPGRADE, Ending(9999))
    told: list[str] = []
    place = bring(runner)
    with pytest.raises(KeyboardInterrupt):
        place.apply(told.append, None)
    assert told == ["helm takes it back, in at most 60 s; Ctrl-C once more leaves that undone"]
    assert runner.started[0][1].signals[0] == signal.SIGTERM
    runner.says(HISTORY, history("deployed", "failed", "pending-rollback"))
    place.undo(told.append)
    assert told[1:] == [
        f"release `llm` is pending-rollback; this settles it: {ROLLBACK}",
        f"see it: {' '.join(IN)} get pods -l app.kubernetes.io/part-of=llm",
        "take it away: llmdeploy down -t helm --context lab, with the same llm.yaml",
    ]


def test_what_helm_has_left_need_not_be_known() -> None:
    told: list[str] = []
    bring(lab().says(HISTORY, refused("Error: kubernetes cluster unreachable"))).undo(told.append)
    assert told[0] == "what helm has left is not known: helm: Error: kubernetes cluster unreachable"


# Down


def test_down_uninstalls_and_keeps_the_weights() -> None:
    runner = lab().says(CLAIMS, "persistentvolumeclaim/llm-chat-models\n")
    told: list[str] = []
    assert bring(runner).down(told.append, volumes=False) == ["Deployment llm-chat", "Service llm-chat"]
    assert runner.commands == [MANIFEST, UNINSTALL, CLAIMS]
    assert (
        told[1] == "kept: persistentvolumeclaim/llm-chat-models; `--volumes` deletes them, weights included"
    )
    assert told[2].startswith("kept: namespace llm and its Secrets; ")


def test_down_with_volumes_deletes_weights_of_a_release_that_is_gone() -> None:
    deletes = (*IN, "delete", "persistentvolumeclaim", "-l", OURS, "--ignore-not-found", "-o", "name")
    runner = lab().says(MANIFEST, MISSING).says(deletes, "persistentvolumeclaim/llm-chat-models\n")
    gone = bring(runner).down(lambda line: None, volumes=True)
    assert gone == ["persistentvolumeclaim/llm-chat-models"]
    assert runner.commands == [MANIFEST, (*deletes, "--timeout=270s")]


def test_what_does_not_go_away_is_a_failure() -> None:
    runner = lab().says(
        UNINSTALL, refused("Error: uninstallation completed with 1 error(s): context deadline exceeded")
    )
    failed = failing(lambda: bring(runner).down(lambda line: None, volumes=False))
    assert failed.message.startswith("not all of it is gone: Error: uninstallation completed")


# The real one


def write(made: Plan, folder: Path) -> None:
    for artifact in TARGET.emit(made):
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text)


@pytest.mark.needs("helm")
@pytest.mark.parametrize("name", ["one", "two-shared", "nasty", "patches"])
def test_what_helm_renders_is_what_the_manifests_are(helm: Run, tmp_path: Path, name: str) -> None:
    made = plans()[name]
    write(made, tmp_path)
    runner = lab().says(("helm", "template"), lambda argv: said(helm(*argv[1:]).stdout))
    place = Helm(made, tmp_path, runner, "lab")
    wanted = {
        f"{item['kind']} {item['metadata']['name']}"
        for item in flat(manifests(made, made.options["helm"]))
        if item["kind"] != "Namespace"
    }
    rendered = place._built()
    assert set(objects_in(rendered)) == wanted
    assert of_manifests(rendered, rendered) == Changes([])


@pytest.mark.needs("helm")
def test_helm_itself_understands_every_command(helm: Run, tmp_path: Path) -> None:
    """No cluster is needed to refuse a flag: what is understood ends at a port that nobody listens at."""
    config = tmp_path / "config"
    config.write_text(
        '{"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],'
        '"contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}]}'
    )
    made = plan()
    write(made, tmp_path)
    runner = lab().ends(HELM, Ending())
    place = Helm(made, tmp_path, runner, "lab")
    place.reach()
    place.changes()
    place.apply(lambda line: None, 7)
    runner.says((*HELM, "uninstall"), "")
    place.down(lambda line: None, volumes=False)
    asked = {*runner.ran(HELM), (*HELM, "rollback", "llm", "1", "-n", "llm")}
    assert len(asked) == 5
    for argv in asked:
        done = helm(*argv[1:], env={"KUBECONFIG": str(config)})
        assert "127.0.0.1:1" in done.stderr, (argv, done.stderr)
    assert helm(*SHORT[1:]).stdout.startswith("v4.")
