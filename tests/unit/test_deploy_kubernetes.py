"""`apply` and `down` for the target kubernetes, on a machine that only says what kubectl would say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.cluster_objects import (
    SERVED,
    deployment,
    failing,
    listed,
    looping,
    machine,
    pod,
    replica_set,
    running,
    shown,
)
from support.kube_plans import KEY, kubernetes, plan, plans, service
from support.recording_runner import Argv, Ending, RecordingRunner, refused, said
from support.tools import Run

from llmdeploy.plan.model import Build, Gateway, Plan, Storage, TextFile
from llmdeploy.runtime.deploy.kubernetes import Kubernetes
from llmdeploy.runtime.deploy.model import Action, Changes
from llmdeploy.runtime.runner import NotInstalled
from llmdeploy.targets.kubernetes import TARGET, commands
from llmdeploy.targets.kubernetes.guide import KEPT
from llmdeploy.targets.kubernetes.manifests import flat, manifests

FOLDER = Path("/built")
KUBECTL = ("kubectl", "--context", "lab")
IN = (*KUBECTL, "-n", "llm")
OURS = "app.kubernetes.io/part-of=llm,app.kubernetes.io/managed-by=llmdeploy"
ALL = "app.kubernetes.io/part-of=llm"
RUNNING = "deployment.apps,job.batch"
AROUND = (
    "service,configmap,serviceaccount,networkpolicy.networking.k8s.io,poddisruptionbudget.policy,"
    "ingress.networking.k8s.io"
)
GATEWAY = "gateway.gateway.networking.k8s.io,httproute.gateway.networking.k8s.io"
CLAIM = "persistentvolumeclaim"
KEYS = 'go-template={{range $k, $v := .data}}{{$k}}{{"\\n"}}{{end}}'
TWO = plan(service(), service("batch"))
JOBS = plan(storage=Storage(access="ReadWriteMany"))

CURRENT = ("kubectl", "config", "current-context")
VERSION = (*KUBECTL, "version", "-o", "json")
RESOURCES = (*KUBECTL, "api-resources", "--api-group=gateway.networking.k8s.io", "-o", "name")
NAMESPACE = (*KUBECTL, "get", "namespace", "llm", "--ignore-not-found", "-o", "jsonpath={.status.phase}")
SECRET = (*IN, "get", "secret", "hf-token", "-o", KEYS)
DIFF = (*KUBECTL, "diff", "--server-side", "--field-manager=llmdeploy", "-k", "/built/kubernetes")
APPLY = (*KUBECTL, "apply", "--server-side", "--field-manager=llmdeploy", "-k", "/built/kubernetes")
STALE = (*IN, "get", f"{RUNNING},{AROUND},{GATEWAY},{CLAIM}", "-l", OURS, "-o", "name")
DEPLOYMENTS = (*IN, "get", "deployments.apps", "-l", ALL, "-o", "json")
PODS = (*IN, "get", "deployments.apps,replicasets.apps,pods", "-l", ALL, "-o", "json")
ROLLOUT = (*IN, "rollout", "status")

# As kubectl 1.37 prints it: one file an object, in two temporary folders.
NEW = """\
diff -u -N /tmp/LIVE-1/{0} /tmp/MERGED-2/{0}
--- /tmp/LIVE-1/{0}\t2026-11-25 16:52:37.584580387 +0000
+++ /tmp/MERGED-2/{0}\t2026-11-25 16:52:37.584580387 +0000
@@ -0,0 +1,3 @@
+kind: X
+metadata:
+  name: y
"""
CHANGED = """\
diff -u -N /tmp/LIVE-1/{0} /tmp/MERGED-2/{0}
--- /tmp/LIVE-1/{0}\t2026-11-25 16:52:37.584580387 +0000
+++ /tmp/MERGED-2/{0}\t2026-11-25 16:52:37.584580387 +0000
@@ -2,7 +2,7 @@
 metadata:
   creationTimestamp: "2026-11-25T16:52:27Z"
-  generation: 1
+  generation: 2
@@ -60,7 +60,7 @@
 {1}
"""


def bring(runner: RecordingRunner, made: Plan | None = None, context: str | None = "lab") -> Kubernetes:
    clock = runner.clock
    place = Kubernetes(made or plan(), FOLDER, runner, context, sleep=clock.sleep, clock=clock)
    if context:
        place.cluster.context = context
    return place


# Reaching it


def test_the_current_context_is_asked_for_once_and_named_ever_after() -> None:
    runner = machine()
    place = bring(runner, context=None)
    place.check()
    assert runner.commands == [CURRENT, VERSION, RESOURCES, NAMESPACE, SECRET]
    assert place.where == "context lab, namespace llm"


def test_a_context_that_is_given_is_used() -> None:
    runner = machine()
    bring(runner, context="prod").reach()
    assert runner.commands == [("kubectl", "--context", "prod", "version", "-o", "json")]


@pytest.mark.parametrize(
    ("rule", "answer", "message"),
    [
        (
            CURRENT,
            refused("error: current-context is not set"),
            "no cluster to go to: error: current-context",
        ),
        (CURRENT, NotInstalled("`kubectl` is not installed"), "kubectl is not installed"),
        ("version", refused("The connection to the server x was refused"), "`lab` does not answer: The conn"),
        (
            "version",
            said('{"serverVersion": {"major": "1", "minor": "30+", "gitVersion": "v1.30.1"}}'),
            "v1.30.1",
        ),
        ("version", said("{}"), "what is not understood"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_said_to_be(rule: Any, answer: Any, message: str) -> None:
    failed = failing(bring(machine().says(rule, answer), context=None).reach)
    assert message in failed.message
    assert failed.help or "understood" in message


# What has to be there


def test_secrets_are_looked_at_by_key_and_never_by_value() -> None:
    made = plan(gateway=Gateway("x.example", "llm-tls", KEY))
    made = replace(made, services=(service(launch=replace(service().launch, secret_env={"K": KEY})),))
    runner = machine().says("secret llm-api-key", "key\n").says("secret llm-tls", "tls.crt\ntls.key\n")
    bring(runner, made).check()
    asked = runner.ran("get secret")
    assert asked == [
        (*IN, "get", "secret", name, "-o", KEYS) for name in ("llm-api-key", "hf-token", "llm-tls")
    ]


def test_a_missing_namespace_comes_with_the_commands_that_make_it() -> None:
    failed = failing(bring(machine().says("get namespace", "")).check)
    assert failed.message == "there is no namespace `llm`, and `hf-token` must be in it"
    assert failed.help == (
        "kubectl --context lab apply --server-side --field-manager=llmdeploy -f /built/kubernetes/00-namespace.yaml; "
        'kubectl --context lab -n llm create secret generic hf-token --from-literal=token="${HF_TOKEN:?}"'
    )


def test_without_secrets_the_namespace_may_be_missing() -> None:
    download = replace(service().download, token=None)
    bring(machine().says("get namespace", ""), plan(service(download=download))).check()


def test_a_missing_secret_comes_with_the_command_that_creates_it() -> None:
    gone = refused('Error from server (NotFound): secrets "hf-token" not found')
    failed = failing(bring(machine().says("get secret", gone)).check)
    assert failed.message == "namespace `llm` has no Secret `hf-token`"
    assert failed.help == (
        'kubectl --context lab -n llm create secret generic hf-token --from-literal=token="${HF_TOKEN:?}"'
    )


def test_a_missing_key_is_added_to_the_secret_that_is_there() -> None:
    failed = failing(bring(machine().says("get secret", "tokn\n")).check)
    assert failed.message == "namespace `llm` has no `token` in Secret `hf-token`"
    assert failed.help.endswith(
        " --dry-run=client -o yaml | kubectl --context lab apply --server-side --field-manager=llmdeploy -f -"
    )


def test_a_secret_that_may_not_be_looked_at_is_taken_on_trust_and_said() -> None:
    runner = machine().says("get secret", refused("Error from server (Forbidden): secrets is forbidden"))
    runner.ends(ROLLOUT, Ending())
    told: list[str] = []
    place = bring(runner)
    place.check()
    place.apply(told.append, None)
    assert told[0] == "Secret `hf-token` is not ours to look at; it must have `token`"


def test_a_namespace_that_goes_is_waited_for_by_hand() -> None:
    failed = failing(bring(machine().says("get namespace", "Terminating")).check)
    assert failed.message == "namespace `llm` is being deleted"
    assert "kubectl --context lab wait --for=delete namespace/llm" in failed.help


@pytest.mark.parametrize(
    ("options", "served", "missing"),
    [
        ({}, "", "knows no Gateway and no HTTPRoute"),
        ({}, "gateways.gateway.networking.k8s.io\n", "knows no HTTPRoute"),
        ({"gateway": {"name": "public"}}, "", "knows no HTTPRoute"),
        ({"gateway": {"name": "public"}}, "httproutes.gateway.networking.k8s.io\n", None),
        ({"routing": "none"}, "", None),
        ({"routing": "ingress"}, "", None),
    ],
)
def test_routes_need_the_gateway_api(options: dict[str, Any], served: str, missing: str | None) -> None:
    place = bring(machine().says("api-resources", served), plan(options=kubernetes(**options)))
    if missing is None:
        place.check()
    else:
        assert missing in failing(place.check).message


def test_an_api_that_is_down_does_not_hide_the_others() -> None:
    partial = said(
        SERVED, 1, "error: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1"
    )
    bring(machine().says("api-resources", partial)).check()


# What would change


def test_all_is_new_where_there_is_no_namespace() -> None:
    runner = machine().says("get namespace", "")
    changes = bring(runner).changes()
    assert runner.commands == [NAMESPACE]
    assert {change.action for change in changes.items} == {Action.CREATE}
    assert [change.what for change in changes.items][:2] == ["Namespace llm", "ServiceAccount llm-chat"]


def test_unchanged_and_ready_is_no_change() -> None:
    runner = machine().says(DEPLOYMENTS, listed(deployment("llm-chat")))
    runner.says(STALE, "deployment.apps/llm-chat\nservice/llm-chat\npersistentvolumeclaim/llm-chat-models\n")
    assert bring(runner).changes() == Changes(())
    assert runner.commands == [NAMESPACE, DIFF, RESOURCES, STALE, DEPLOYMENTS]


def test_kubectls_difference_is_read() -> None:
    names = [
        "apps.v1.Deployment.llm.llm-chat",
        "gateway.networking.k8s.io.v1.HTTPRoute.llm.llm.https-redirect",
        "v1.Namespace..llm",
        "v1.Service.llm.llm-chat",
    ]
    said_by_kubectl = (
        CHANGED.format(names[0], "         - --max-model-len\n-        - '1'\n+        - '2'")
        + NEW.format(names[1])
        + CHANGED.format(names[2], "   labels:\n+    a: b")
        + CHANGED.format(names[3], "   ports:\n-  - port: 1\n+  - port: 2")
    )
    runner = (
        machine().says(" diff ", said(said_by_kubectl, 1)).says(DEPLOYMENTS, listed(deployment("llm-chat")))
    )
    changes = bring(runner).changes()
    assert shown(changes) == [
        ("restart", "Deployment llm-chat", "its Pods are replaced; the model loads anew"),
        ("create", "HTTPRoute llm.https-redirect", ""),
        ("update", "Namespace llm", ""),
        ("update", "Service llm-chat", ""),
    ]
    # Whole new objects are no difference to read, and temporary folders say nothing.
    assert "https-redirect" not in changes.diff
    assert "diff -u -N LIVE-1/v1.Service.llm.llm-chat MERGED-2/v1.Service.llm.llm-chat\n" in changes.diff
    assert "-        - '1'\n+        - '2'\n" in changes.diff


@pytest.mark.parametrize(
    "line",
    ["   progressDeadlineSeconds: 1", "   replicas: 2", "       maxUnavailable: 2", "     rollingUpdate:"],
)
def test_what_pods_are_not_made_of_restarts_nothing(line: str) -> None:
    text = CHANGED.format("apps.v1.Deployment.llm.llm-chat", f"-{line[1:]}0\n+{line[1:]}")
    runner = machine().says(" diff ", said(text, 1)).says(DEPLOYMENTS, listed(deployment("llm-chat")))
    assert [change.action for change in bring(runner).changes().items] == [Action.UPDATE]


def test_a_difference_in_other_words_is_still_one() -> None:
    """KUBECTL_EXTERNAL_DIFF may say what it likes."""
    runner = machine().says(" diff ", said("\x1b[31mdifferent\x1b[0m", 1))
    runner.says(DEPLOYMENTS, listed(deployment("llm-chat")))
    assert shown(bring(runner).changes()) == [("update", "objects", "kubectl finds differences")]


def test_what_llm_yaml_has_no_more_is_removed_but_never_weights() -> None:
    stale = "deployment.apps/llm-old\nhttproute.gateway.networking.k8s.io/llm-old\npersistentvolumeclaim/llm-old-models\n"
    runner = (
        machine().says(STALE, f"{stale}service/llm-chat\n").says(DEPLOYMENTS, listed(deployment("llm-chat")))
    )
    assert shown(bring(runner).changes()) == [
        ("remove", "Deployment llm-old", "llm.yaml has it no more"),
        ("remove", "HTTPRoute llm-old", "llm.yaml has it no more"),
    ]


def test_kinds_that_the_cluster_has_not_are_not_asked_for() -> None:
    runner = machine().says("api-resources", "").says(DEPLOYMENTS, listed(deployment("llm-chat")))
    bring(runner, plan(options=kubernetes(routing="none"))).changes()
    assert (*IN, "get", f"{RUNNING},{AROUND},{CLAIM}", "-l", OURS, "-o", "name") in runner.commands


@pytest.mark.parametrize("state", [{"ready": False}, {"observed": False}])
def test_what_is_not_ready_is_waited_for(state: dict[str, bool]) -> None:
    runner = machine().says(DEPLOYMENTS, listed(deployment("llm-chat", **state)))
    assert shown(bring(runner).changes()) == [("update", "Deployment llm-chat", "not ready yet")]


def job_of(made: Plan) -> str:
    objects = flat(manifests(made, kubernetes()))
    return next(str(item["metadata"]["name"]) for item in objects if item["kind"] == "Job")


def test_a_download_that_was_tidied_away_is_no_change() -> None:
    job = job_of(JOBS)
    runner = machine().says(" diff ", said(NEW.format(f"batch.v1.Job.llm.{job}"), 1))
    runner.says(DEPLOYMENTS, listed(deployment("llm-chat")))
    assert bring(runner, JOBS).changes() == Changes(())
    runner.says(DEPLOYMENTS, listed(deployment("llm-chat", ready=False)))
    assert [change.what for change in bring(runner, JOBS).changes().items] == [
        f"Job {job}",
        "Deployment llm-chat",
    ]


def test_a_download_that_has_failed_is_made_anew() -> None:
    job = job_of(JOBS)
    failed = {"metadata": {"name": job}, "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    other = {"metadata": {"name": "llm-old-12345678"}, "status": failed["status"]}
    runner = machine().says("get jobs.batch", listed(failed, other)).says("delete job", "")
    runner.says(DEPLOYMENTS, listed(deployment("llm-chat"))).ends(ROLLOUT, Ending())
    place = bring(runner, JOBS)
    assert shown(place.changes()) == [("restart", f"Job {job}", "its download has failed")]
    place.apply(lambda line: None, None)
    deleted = runner.commands.index((*IN, "delete", f"job.batch/{job}", "--ignore-not-found"))
    assert deleted < runner.commands.index(APPLY)


CONFLICT = (
    'Error from server (Conflict): Apply failed with 1 conflict: conflict with "kubectl-scale" with subresource '
    '"scale" using apps/v1: .spec.replicas'
)


@pytest.mark.parametrize("which", ["changes", "apply"])
def test_fields_of_others_are_a_persons_decision(which: str) -> None:
    runner = machine().says(" diff ", refused(CONFLICT, 2)).says(" apply ", refused(CONFLICT))
    place = bring(runner)
    failed = failing(place.changes if which == "changes" else lambda: place.apply(lambda line: None, None))
    assert failed.message == "fields that llmdeploy sets are managed by `kubectl-scale`"
    assert failed.help.endswith(f"{' '.join(APPLY)} --force-conflicts")
    assert failed.lines == (CONFLICT,)
    assert not runner.started


def test_every_owner_of_a_conflict_is_named() -> None:
    text = 'Apply failed with 2 conflicts: conflicts with "a" using apps/v1:\n- .spec.x\nconflicts with "b":\n- .spec.y'
    failed = failing(bring(machine().says(" diff ", refused(text, 2))).changes)
    assert "managed by `a`, `b`" in failed.message
    assert failed.lines[1] == "- .spec.x"


def test_a_diff_that_fails_says_why() -> None:
    failed = failing(bring(machine().says(" diff ", refused("noise\nerror: no", 2))).changes)
    assert failed.message == "kubectl: error: no"


def test_every_kind_that_is_made_is_removed_again() -> None:
    kinds = commands.RUNNING | commands.AROUND | commands.GATEWAY_API
    for made in plans().values():
        for item in flat(manifests(made, made.options["kubernetes"])):
            assert item["kind"] in KEPT or kinds[commands.resource(item)] == item["kind"]


# Applying


def rollout(model: str, limit: str = "105m") -> Argv:
    return (*ROLLOUT, f"deployment/llm-{model}", f"--timeout={limit}")


def test_the_first_apply() -> None:
    runner = machine().ends(ROLLOUT, Ending())
    told: list[str] = []
    bring(runner, TWO).apply(told.append, None)
    assert runner.commands == [APPLY, RESOURCES, STALE]
    assert [argv for argv, _ in runner.started] == [rollout("chat"), rollout("batch")]
    assert told == ["chat: ready after 0 s", "batch: ready after 0 s"]


def test_a_later_apply_deletes_what_is_not_made_any_more() -> None:
    runner = machine().ends(ROLLOUT, Ending()).says(" delete ", "")
    runner.says(STALE, "deployment.apps/llm-old\npersistentvolumeclaim/llm-old-models\nservice/llm-old\n")
    told: list[str] = []
    bring(runner).apply(told.append, None)
    prune = ("deployment.apps/llm-old", "service/llm-old", "--ignore-not-found", "-o", "name", "--wait=false")
    assert runner.commands == [APPLY, RESOURCES, STALE, (*IN, "delete", *prune)]
    assert told[:2] == [
        "removed: deployment.apps/llm-old, service/llm-old",
        "kept, though no model of llm.yaml has its weights there: persistentvolumeclaim/llm-old-models",
    ]


def test_a_limit_is_instead_of_the_plans_time() -> None:
    runner = machine().ends(ROLLOUT, Ending())
    bring(runner).apply(lambda line: None, 90.5)
    assert runner.started[0][0] == rollout("chat", "91s")


def test_images_to_build_and_warnings_are_told() -> None:
    build = Build((TextFile("Dockerfile", "FROM scratch\n"),))
    runner = machine().ends(ROLLOUT, Ending()).says(" apply ", said("", 0, "Warning: a\nother\n"))
    told: list[str] = []
    bring(runner, plan(service(build=build))).apply(told.append, None)
    assert told[0] == (
        "an image of your own must be where the cluster pulls from: docker build -t registry.example/fake:v1.2.3 "
        "/built/kubernetes/images/chat && docker push registry.example/fake:v1.2.3"
    )
    assert told[1] == "Warning: a"


def test_undo_leaves_it_and_says_how_to_see_it() -> None:
    told: list[str] = []
    runner = machine()
    bring(runner).undo(told.append)
    assert told == [
        "what was applied stays, and the cluster goes on with it",
        f"see it: {' '.join(IN)} get pods -l {ALL}",
        "take it away: llmdeploy down -t kubernetes --context lab, with the same llm.yaml",
    ]
    assert not runner.commands


# Down


def delete(kinds: str, *more: str) -> Argv:
    return (*IN, "delete", kinds, "-l", OURS, "--ignore-not-found", "-o", "name", "--timeout=270s", *more)


def test_down_removes_what_runs_before_what_leads_there() -> None:
    runner = machine().says(" delete ", "deployment.apps/llm-chat\n", "service/llm-chat\n")
    runner.says("get persistentvolumeclaim", "persistentvolumeclaim/llm-chat-models\n")
    told: list[str] = []
    assert bring(runner).down(told.append, volumes=False) == ["deployment.apps/llm-chat", "service/llm-chat"]
    assert runner.commands == [
        NAMESPACE,
        delete(RUNNING, "--cascade=foreground"),
        RESOURCES,
        delete(f"{GATEWAY},{AROUND}"),
        (*IN, "get", CLAIM, "-l", OURS, "-o", "name"),
    ]
    assert told == [
        "stopping; what is being answered is finished first, in at most 270 s",
        "kept: persistentvolumeclaim/llm-chat-models; `--volumes` deletes them, weights included",
        "kept: namespace llm and its Secrets; kubectl --context lab delete namespace llm deletes all in it",
    ]


def test_down_with_volumes_deletes_the_weights() -> None:
    runner = machine().says(" delete ", "No resources found\n", "", "persistentvolumeclaim/llm-chat-models\n")
    gone = bring(runner).down(lambda line: None, volumes=True)
    assert gone == ["persistentvolumeclaim/llm-chat-models"]
    assert runner.commands[-1] == delete(CLAIM)


def test_where_nothing_is_nothing_is_removed() -> None:
    runner = machine().says("get namespace", "")
    assert bring(runner).down(lambda line: None, volumes=True) == []
    assert runner.commands == [NAMESPACE]


def test_what_does_not_go_away_is_a_failure() -> None:
    late = said(
        "deployment.apps/llm-chat\n", 1, "error: timed out waiting for the condition on deployments/llm-chat"
    )
    failed = failing(lambda: bring(machine().says(" delete ", late)).down(lambda line: None, volumes=False))
    assert failed.message.startswith("not all of it is gone: error: timed out waiting")


# Where it is reached


@pytest.mark.parametrize(
    ("made", "found", "address"),
    [
        (plan(), "203.0.113.7", ("http://203.0.113.7", "")),
        (plan(), "2001:db8::7", ("http://[2001:db8::7]", "")),
        (
            plan(),
            "",
            (
                "http://GATEWAY",
                "GATEWAY has no address yet: `kubectl --context lab -n llm get gateway.gateway.networking.k8s.io llm` "
                "will show it",
            ),
        ),
        (
            plan(gateway=Gateway("llm.example.com", "llm-tls")),
            "203.0.113.7",
            ("https://llm.example.com", "`llm.example.com` must resolve to 203.0.113.7"),
        ),
        (
            plan(gateway=Gateway("llm.example.com"), options=kubernetes(routing="ingress")),
            "",
            (
                "http://llm.example.com",
                "`llm.example.com` must resolve to what `kubectl --context lab -n llm get ingress.networking.k8s.io "
                "llm` will show",
            ),
        ),
        (
            plan(options=kubernetes(routing="none")),
            "",
            (
                "http://127.0.0.1:8000",
                "first: kubectl --context lab -n llm port-forward service/llm-chat 8000",
            ),
        ),
    ],
)
def test_the_address(made: Plan, found: str, address: tuple[str, str]) -> None:
    assert bring(machine().says("jsonpath={.status", found), made).address() == address


def test_the_address_of_a_gateway_that_is_there_already() -> None:
    existing = {"name": "public", "namespace": "infra"}
    runner = machine().says("jsonpath={.status", "lb.example.com")
    assert bring(runner, plan(options=kubernetes(gateway=existing))).address() == (
        "http://lb.example.com",
        "",
    )
    get = ("kubectl", "--context", "lab", "-n", "infra", "get", "gateway.gateway.networking.k8s.io", "public")
    assert runner.commands == [(*get, "-o", "jsonpath={.status.addresses[0].value}")]


# The real one


@pytest.mark.needs("kubectl")
def test_kubectl_itself_understands_every_command(kubectl: Run, tmp_path: Path) -> None:
    """No cluster is needed to refuse a flag: what is understood ends at a port that nobody listens at."""
    config = tmp_path / "config"
    config.write_text(
        '{"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],'
        '"contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {"token": "x"}}]}'
    )
    for artifact in TARGET.emit(JOBS):
        path = tmp_path / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text)
    runner = (
        machine().ends(ROLLOUT, Ending(15)).says(STALE, "service/old\n").says(" delete ", "service/old\n")
    )
    items = (pod("llm-chat", running()), pod("llm-chat", looping(1)))
    runner.says(PODS, listed(deployment("llm-chat", ready=False), replica_set("llm-chat", 1), *items))
    clock = runner.clock
    place = Kubernetes(JOBS, tmp_path, runner, None, sleep=clock.sleep, clock=clock)
    place.check()
    place.changes()
    place.apply(lambda line: None, 7)
    place.down(lambda line: None, volumes=True)
    place.down(lambda line: None, volumes=False)
    place.address()
    for argv in {*runner.commands, *(argv for argv, _ in runner.started)} - {CURRENT}:
        done = kubectl(*argv[1:], env={"KUBECONFIG": str(config)})
        assert "127.0.0.1:1" in done.stderr, (argv, done.stderr)
