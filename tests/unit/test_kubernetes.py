"""The target `kubernetes`: what it derives, and what it refuses where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.kube_plans import KEY, kubernetes, plan, plans, root, service

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.plan.model import Gateway, Gpus, Plan, Secret, Storage
from llmdeploy.targets.kubernetes import TARGET
from llmdeploy.targets.kubernetes.manifests import flat, manifests
from llmdeploy.targets.kubernetes.text import cores, digest, gib, label_value, literal

SHARED = Storage(access="ReadWriteMany")


def objects(made: Plan, kind: str) -> dict[str, Any]:
    texts = [artifact.text for artifact in TARGET.emit(made) if "kustomization" not in artifact.path]
    documents = [document for text in texts for document in yaml.safe_load_all(text)]
    return {item["metadata"]["name"]: item for item in documents if item["kind"] == kind}


def pod(made: Plan, name: str = "llm-chat") -> Any:
    return objects(made, "Deployment")[name]["spec"]["template"]["spec"]


def found(made: Plan) -> list[Diagnostic]:
    return list(TARGET.check(made))


def codes(made: Plan) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(finding.code, finding.path) for finding in found(made)]


@pytest.mark.parametrize(
    ("size", "text"), [(64, "64Gi"), (0.5, "512Mi"), (1024, "1024Gi"), (500.5, "512512Mi")]
)
def test_memory_is_printed_as_the_server_would(size: float, text: str) -> None:
    assert gib(size) == text


@pytest.mark.parametrize(
    ("count", "text"), [(6, "6"), (0.5, "500m"), (2.5, "2500m"), (0.0001, "1m"), (0.3, "300m")]
)
def test_cores(count: float, text: str) -> None:
    assert cores(count) == text


def expanded(text: str) -> str:
    """Kubernetes' own expansion (third_party/forked/golang/expansion/expand.go) without any variable."""
    out, rest = "", text
    while rest:
        assert not rest.startswith("$(") or ")" not in rest, "a reference"
        pair = rest.startswith("$$")
        out, rest = out + rest[0], rest[2 if pair else 1 :]
    return out


@given(st.text("$()X ", max_size=12))
def test_no_text_is_expanded(text: str) -> None:
    assert expanded(literal(text)) == text


def test_a_dollar_that_nothing_reads_stays_as_it_is() -> None:
    assert literal("$HOME costs 5$") == "$HOME costs 5$"
    assert literal("$(HOME)") == "$$(HOME)"


@given(st.text(max_size=100))
def test_a_label_value_is_always_legal(text: str) -> None:
    value = label_value(text)
    assert len(value) <= 63
    assert not value or (value[0].isalnum() and value[-1].isalnum() and value.isascii())


def test_the_digest_sees_values_and_not_order() -> None:
    assert digest({"a": 1, "b": "<&>"}) == digest({"b": "<&>", "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_a_single_writer_downloads_in_its_own_pod() -> None:
    made = plan()
    assert [c["name"] for c in pod(made)["initContainers"]] == ["download"]
    assert objects(made, "Job") == {}
    assert list(objects(made, "PersistentVolumeClaim")) == ["llm-chat-models"]
    assert objects(made, "NetworkPolicy")["llm-chat"]["spec"]["egress"]
    mounts = {
        c["name"]: c["volumeMounts"][0]["readOnly"]
        for c in (*pod(made)["initContainers"], *pod(made)["containers"])
    }
    assert mounts == {"download": False, "engine": True}


def test_with_a_shared_claim_only_the_job_has_token_and_network() -> None:
    made = plan(storage=SHARED)
    (job,) = objects(made, "Job").values()
    assert "HF_TOKEN" in str(job)
    assert "HF_TOKEN" not in str(pod(made))
    assert objects(made, "NetworkPolicy")["llm-chat"]["spec"]["egress"] == []
    (wait,) = pod(made)["initContainers"]
    marker = job["spec"]["template"]["spec"]["containers"][0]["command"][-1]
    assert wait["command"][-1] == marker, "it waits for what the Job leaves behind"
    assert list(objects(made, "PersistentVolumeClaim")) == ["llm-models"]


def test_a_job_is_renamed_when_its_immutable_template_changes() -> None:
    launch = replace(service().launch, image="other:2")
    assert (
        objects(plan(storage=SHARED), "Job").keys()
        != objects(plan(service(launch=launch), storage=SHARED), "Job").keys()
    )


def test_the_selector_survives_a_change_of_engine() -> None:
    before, after = plan(), plan(service(engine="other", engine_version="9"))
    selectors = [objects(made, "Deployment")["llm-chat"]["spec"]["selector"] for made in (before, after)]
    assert selectors[0] == selectors[1]


@pytest.mark.parametrize(("replicas", "strategy"), [(1, "Recreate"), (2, "RollingUpdate")])
def test_a_rollout_needs_no_spare_gpu(replicas: int, strategy: str) -> None:
    spec = objects(plan(service(replicas=replicas), storage=SHARED), "Deployment")["llm-chat"]["spec"]
    assert spec["strategy"]["type"] == strategy
    if replicas > 1:
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_start_up_ends_before_the_rollout_counts_as_failed() -> None:
    spec = objects(plan(), "Deployment")["llm-chat"]["spec"]
    probe = spec["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] == 1800 < spec["progressDeadlineSeconds"]


def test_a_gpu_is_asked_for_by_resource_product_and_toleration() -> None:
    spec = pod(plan())
    resources = spec["containers"][0]["resources"]
    assert resources["requests"] == {"cpu": "6", "memory": "48Gi", "nvidia.com/gpu": "2"}
    assert resources["limits"] == {"memory": "48Gi", "nvidia.com/gpu": "2"}
    assert "NVIDIA-H100-80GB-HBM3" in str(spec["affinity"])
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_a_product_selected_by_hand_replaces_ours() -> None:
    spec = pod(plans()["own-selector"])
    assert "affinity" not in spec
    assert spec["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-L4"}


@pytest.mark.parametrize(
    ("resource", "key"),
    [
        ("nvidia.com/mig-1g.10gb", "nvidia.com/gpu"),
        ("amd.com/gpu", "amd.com/gpu"),
        ("habana.ai/gaudi", "habana.ai/gaudi"),
    ],
)
def test_the_taint_of_a_slice_is_that_of_the_gpu(resource: str, key: str) -> None:
    spec = pod(plan(service(gpus=Gpus("pool", "any", 1, resource))))
    assert spec["tolerations"][0]["key"] == key


@pytest.mark.parametrize(
    ("services", "level"), [([service()], "restricted"), ([service(), root()], "baseline")]
)
def test_the_namespace_is_as_strict_as_its_engines_allow(services: list[Any], level: str) -> None:
    labels = objects(plan(*services), "Namespace")["llm"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == level


def test_a_secret_without_a_reference_is_refused_where_it_is_declared() -> None:
    secret = Secret("mine", "MINE", None, ("secrets", "mine"))
    assert codes(plan(gateway=Gateway(auth=secret))) == [("LD402", ("secrets", "mine"))]


def test_replicas_cannot_share_a_single_writer_volume() -> None:
    made = plan(service(replicas=2))
    assert ("LD403", ("models", "chat", "replicas")) in codes(made)
    assert "ReadWriteMany" in str(found(made)[0].help)
    assert codes(plan(service(replicas=2), storage=SHARED)) == []
    assert codes(plan(service(replicas=2, mounts=(), download=None))) == []


def test_a_name_that_is_no_host_name_is_refused_at_the_name() -> None:
    assert codes(plan(name="70b")) == [("LD404", ("name",))]


@pytest.mark.parametrize(
    ("options", "gateway", "expected"),
    [
        ({}, Gateway(idle_timeout_s=900), ("LD407", ("gateway", "idle_timeout"))),
        (
            {"routing": "ingress"},
            Gateway(idle_timeout_s=900),
            ("LD506", ("targets", "kubernetes", "routing")),
        ),
        ({"routing": "none"}, Gateway("llm.example.com"), ("LD407", ("gateway", "host"))),
        ({"gateway": {"name": "public"}}, Gateway("a.b", "tls"), ("LD407", ("gateway", "tls"))),
        (
            {"gateway": {"name": "a", "class": "b"}},
            Gateway(),
            ("LD106", ("targets", "kubernetes", "gateway", "class")),
        ),
        (
            {"gateway": {"section": "b"}},
            Gateway(),
            ("LD106", ("targets", "kubernetes", "gateway", "section")),
        ),
        (
            {"routing": "none", "gateway": {"class": "b"}},
            Gateway(),
            ("LD510", ("targets", "kubernetes", "gateway")),
        ),
    ],
)
def test_what_a_routing_cannot_say_is_said(options: dict[str, Any], gateway: Gateway, expected: Any) -> None:
    assert codes(plan(options=kubernetes(**options), gateway=gateway)) == [expected]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"node_selector": {"a b": "c"}}, "node_selector"),
        ({"annotations": {"a b": "c"}}, "annotations"),
        ({"resources": {"memory": "4GiB"}}, "resources"),
    ],
)
def test_an_option_that_no_node_would_take_is_refused_where_it_stands(
    options: dict[str, Any], field: str
) -> None:
    assert codes(plan(options=kubernetes(**options)))[0] == ("LD404", ("targets", "kubernetes", field))


def patched(*patches: dict[str, Any]) -> list[tuple[str, tuple[str | int, ...]]]:
    return codes(plan(options=kubernetes(patches=list(patches))))


PATCHES = ("targets", "kubernetes", "patches")


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"kind": "Deploymint", "patch": {"spec": {}}}, ("LD405", (*PATCHES, 0, "kind"))),
        ({"kind": "Deployment", "name": "chat", "patch": {"spec": {}}}, ("LD405", (*PATCHES, 0, "name"))),
        ({"kind": "Deployment", "patch": {"spec": {"replicas": 1}}}, ("LD405", (*PATCHES, 0))),
        (
            {"kind": "Deployment", "patch": {"spec": {"replica": 2}}},
            ("LD404", (*PATCHES, 0, "patch", "spec")),
        ),
        (
            {"kind": "Deployment", "patch": {"spec": {"replicas": "two"}}},
            ("LD404", (*PATCHES, 0, "patch", "spec", "replicas")),
        ),
        (
            {"kind": "Service", "patch": {"spec": {"selector": {"app": "x"}}}},
            ("LD404", (*PATCHES, 0, "patch", "spec", "selector")),
        ),
    ],
)
def test_a_patch_is_judged_where_it_stands(patch: dict[str, Any], expected: Any) -> None:
    assert expected in patched(patch)


def test_a_patch_cannot_remove() -> None:
    found = patched({"kind": "Deployment", "patch": {"spec": {"strategy": None}}})
    assert ("LD404", (*PATCHES, 0, "patch", "spec", "strategy")) in found


@pytest.mark.parametrize(
    ("patch", "at"),
    [
        ({"metadata": {"name": "other"}}, ("metadata", "name")),
        ({"metadata": {"namespace": ["x"]}}, ("metadata", "namespace")),
        ({"metadata": "x"}, ("metadata",)),
        ({"kind": "Pod"}, ("kind",)),
    ],
)
def test_a_patch_cannot_make_another_object(patch: dict[str, Any], at: tuple[str, ...]) -> None:
    assert patched({"kind": "HTTPRoute", "patch": patch}) == [("LD404", (*PATCHES, 0, "patch", *at))]


def paths_of(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, item in value.items() if isinstance(value, dict) else ():
        yield (*at, key)
        yield from paths_of(item, (*at, key))


WITHIN = [(item["kind"], path) for item in flat(manifests(plan(), kubernetes())) for path in paths_of(item)]
ODD = [None, 0, -1, 1.5, True, "", "x", "1Gi", [], {}, [1], ["x"], [{}], [None], {"a": "b"}, {"a": 1}]
ODD += [[{"name": name}] for name in ("engine", "http", "models", 1)]


@settings(deadline=None)
@given(st.sampled_from(WITHIN), st.sampled_from(ODD))
def test_an_odd_patch_is_a_finding_and_never_a_crash(where: tuple[str, tuple[str, ...]], value: Any) -> None:
    kind, path = where
    for key in reversed(path):
        value = {key: value}
    assert all(code in ("LD404", "LD405") for code, _ in patched({"kind": kind, "patch": value}))


def test_the_second_patch_is_not_blamed_for_the_first() -> None:
    found = patched(
        {"kind": "Deployment", "patch": {"spec": {"replicas": "two"}}},
        {"kind": "Service", "patch": {"metadata": {"annotations": {"a": "b"}}}},
    )
    assert {path[3] for _, path in found} == {0}


def test_secrets_of_one_name_are_created_together() -> None:
    other = replace(KEY, name="other", env=None, kubernetes=("hf-token", "other"))
    steps = [step.command for step in TARGET.guide(plan(gateway=Gateway(auth=other))).secrets]
    assert steps[1:] == [
        "kubectl -n llm create secret generic hf-token "
        '--from-literal=other="${OTHER:?}" --from-literal=token="${HF_TOKEN:?}"'
    ]


def test_undoing_keeps_the_weights_until_the_namespace_goes() -> None:
    first, last = TARGET.guide(plan()).undo
    assert "persistentvolumeclaim" not in first.command
    assert last.command == "kubectl delete namespace llm"


def test_the_readme_names_paths_from_where_it_stands() -> None:
    guide = TARGET.guide(plan())
    commands = [step.command for step in (*guide.secrets, *guide.apply)]
    assert any(" -k kubernetes" in command for command in commands)
    assert not any("out/" in command for command in commands)
    # Another manager of the Namespace would be in the way when its labels change.
    assert all("--field-manager=llmdeploy" in c for c in commands if c.startswith("kubectl apply"))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("llm.example.com", "http://llm.example.com"),
        ("*.example.com", "http://ANY.example.com"),
        (None, "http://GATEWAY"),
    ],
)
def test_where_the_routes_are_reached(host: str | None, url: str) -> None:
    guide = TARGET.guide(plan(gateway=Gateway(host=host)))
    assert (guide.base_url, guide.has_gateway) == (url, True)


def test_without_a_gateway_no_prefix_is_reached() -> None:
    assert not TARGET.guide(plan(options=kubernetes(routing="none"))).has_gateway


def test_the_same_plan_gives_the_same_bytes() -> None:
    for made in plans().values():
        assert list(TARGET.emit(made)) == list(TARGET.emit(made))
