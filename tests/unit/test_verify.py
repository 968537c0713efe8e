"""The verifier finds every planted fault, and nothing in what the compiler makes.

The first 22 are those of which `kubernetes-validate --strict` sees 6.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support.kube_plans import plan, plans, service

from llmdeploy.plan.model import Storage
from llmdeploy.targets.kubernetes.manifests import final, flat
from llmdeploy.targets.kubernetes.verify import verify

CLEAN = list(flat(final(plan(), plan().options["kubernetes"])))
SHARED_PLAN = plan(storage=Storage(access="ReadWriteMany"))
SHARED = list(flat(final(SHARED_PLAN, SHARED_PLAN.options["kubernetes"])))

TEMPLATE = "spec.template"
POD = f"{TEMPLATE}.spec"
ENGINE = f"{POD}.containers.0"
REMOVED: Any = object()

INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "llm"},
    "spec": {
        "rules": [
            {
                "http": {
                    "paths": [
                        {
                            "path": "/chat",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "llm-chat", "port": {"name": "http"}}},
                        }
                    ]
                }
            }
        ]
    },
}


def put(document: Any, path: str, value: Any) -> None:
    *front, last = [int(key) if key.isdigit() else key.replace("~", ".") for key in path.split(".")]
    for key in front:
        document = document[key]
    if value is REMOVED:
        del document[last]
    else:
        document[last] = value


# (what, kind, path, value, where the verifier must point)
FAULTS: list[tuple[str, str, str, Any, str]] = [
    ("unknown field", "Deployment", f"{ENGINE}.imagePolicy", "Always", "containers.0"),
    ("text for a number", "Deployment", "spec.replicas", "two", "replicas"),
    ("number for a text", "Deployment", f"{ENGINE}.env.0.value", 1, "env.0.value"),
    ("missing selector", "Deployment", "spec.selector", REMOVED, "spec"),
    ("missing ports", "Service", "spec.ports.0.port", REMOVED, "ports.0"),
    ("text for a list", "Deployment", f"{ENGINE}.args", "serve", "args"),
    ("selector unlike labels", "Deployment", "spec.selector.matchLabels", {"app": "x"}, "selector"),
    ("bad quantity", "Deployment", f"{ENGINE}.resources.limits.memory", "64GiB", "limits.memory"),
    ("device request unlike limit", "Deployment", f"{ENGINE}.resources.requests.nvidia~com/gpu", "1", "gpu"),
    ("bad object name", "Service", "metadata.name", "LLM_Chat", "metadata.name"),
    ("long label value", "Deployment", "metadata.labels.a", "x" * 64, "labels.a"),
    ("illegal label value", "Deployment", "metadata.labels.a", "org/model", "labels.a"),
    ("bad path type", "Ingress", "spec.rules.0.http.paths.0.pathType", "Regex", "pathType"),
    ("expression as prefix", "Ingress", "spec.rules.0.http.paths.0.path", "/chat(/|$)(.*)", "paths.0.path"),
    (
        "probe of an unknown port",
        "Deployment",
        f"{ENGINE}.readinessProbe.httpGet.port",
        "web",
        "readinessProbe",
    ),
    ("dangling mount", "Deployment", f"{ENGINE}.volumeMounts.0.name", "nothing", "volumeMounts.0.name"),
    ("port out of range", "Deployment", f"{ENGINE}.ports.0.containerPort", 700000, "containerPort"),
    ("two handlers", "Deployment", f"{ENGINE}.livenessProbe.exec", {"command": ["true"]}, "livenessProbe"),
    ("long port name", "Deployment", f"{ENGINE}.ports.0.name", "a-very-long-port", "ports.0.name"),
    ("recreate and rolling", "Deployment", "spec.strategy.rollingUpdate", {"maxSurge": 0}, "strategy"),
    ("restart policy", "Deployment", f"{POD}.restartPolicy", "OnFailure", "restartPolicy"),
    ("dead API", "Deployment", "apiVersion", "extensions/v1beta1", ""),
    # Beyond the 22
    ("drain", "Deployment", f"{POD}.terminationGracePeriodSeconds", 20, "terminationGracePeriodSeconds"),
    ("deadline before start", "Deployment", "spec.progressDeadlineSeconds", 600, "progressDeadlineSeconds"),
    (
        "root in a restricted namespace",
        "Deployment",
        f"{POD}.securityContext.runAsUser",
        0,
        "securityContext",
    ),
    ("escalation", "Deployment", f"{ENGINE}.securityContext", {}, "securityContext"),
    ("host's IPC", "Deployment", f"{POD}.hostIPC", True, "hostIPC"),
    (
        "host's directory",
        "Deployment",
        f"{POD}.volumes.1",
        {"name": "cache", "hostPath": {"path": "/"}},
        "volumes.1",
    ),
    ("variable twice", "Deployment", f"{ENGINE}.env.1.name", "HF_HOME", "env.1.name"),
    ("bad variable", "Deployment", f"{ENGINE}.env.1.name", "1=2", "env.1.name"),
    ("reference in an argument", "Deployment", f"{ENGINE}.args.0", "a $(HOME)", "args.0"),
    ("reference after dollars", "Deployment", f"{ENGINE}.args.0", "$$$(HOME)", "args.0"),
    ("reference in a variable", "Deployment", f"{ENGINE}.env.0.value", "$(HOME)", "env.0.value"),
    ("long name", "Deployment", "metadata.name", "a" * 64, "metadata.name"),
    ("Service that begins with a digit", "Service", "metadata.name", "7b-chat", "metadata.name"),
    ("service links", "Deployment", f"{POD}.enableServiceLinks", REMOVED, "enableServiceLinks"),
    ("no such Service", "HTTPRoute", "spec.rules.0.backendRefs.0.name", "gone", "backendRefs"),
    ("no such port", "HTTPRoute", "spec.rules.0.backendRefs.0.port", 80, "backendRefs"),
    ("no such listener", "HTTPRoute", "spec.parentRefs.0.sectionName", "https", "parentRefs.0"),
    ("prefix rewrite of an exact path", "HTTPRoute", "spec.rules.0.matches.0.path.type", "Exact", "rules.0"),
    ("too many rules", "HTTPRoute", "spec.rules", [{}] * 17, "rules"),
    ("budget of nothing", "PodDisruptionBudget", "spec.selector.matchLabels", {"a": "b"}, "selector"),
    ("policy of nothing", "NetworkPolicy", "spec.podSelector.matchLabels", {"a": "b"}, "podSelector"),
    ("Service of nothing", "Service", "spec.selector", {"a": "b"}, "selector"),
    ("target port", "Service", "spec.ports.0.targetPort", "web", "targetPort"),
    ("no such claim", "Deployment", f"{POD}.volumes.0.persistentVolumeClaim.claimName", "gone", "volumes.0"),
    ("no such account", "Deployment", f"{POD}.serviceAccountName", "gone", "serviceAccountName"),
    ("two nodes, one volume", "Deployment", "spec.replicas", 2, "replicas"),
    ("surge on one volume", "Deployment", "spec.strategy", {"type": "RollingUpdate"}, "strategy"),
    (
        "shared memory is all memory",
        "Deployment",
        f"{ENGINE}.resources.limits.memory",
        "8Gi",
        "limits.memory",
    ),
    ("bad node label", "Deployment", f"{POD}.nodeSelector", {"a b": "c"}, "nodeSelector.a b"),
    ("two mounts at one path", "Deployment", f"{ENGINE}.volumeMounts.0.mountPath", "/tmp", "mountPath"),
]


@pytest.mark.parametrize(
    ("kind", "path", "value", "where"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_a_planted_fault_is_found_where_it_is(kind: str, path: str, value: Any, where: str) -> None:
    items = copy.deepcopy([*CLEAN, INGRESS])
    put(next(item for item in items if item["kind"] == kind), path, value)
    found = verify(items, schemas=True)
    assert any(where in ".".join(problem.path) for problem in found), found


def test_the_seeds_of_the_faults_are_clean() -> None:
    assert verify([*CLEAN, INGRESS], schemas=True) == []


@pytest.mark.parametrize("name", plans())
def test_what_the_compiler_makes_is_clean(name: str) -> None:
    made = plans()[name]
    assert verify(list(flat(final(made, made.options["kubernetes"]))), schemas=True) == []


def test_two_objects_of_one_name_are_found() -> None:
    assert verify([*CLEAN, CLEAN[-1]])


def test_a_job_never_restarts_always() -> None:
    items = copy.deepcopy(SHARED)
    put(next(item for item in items if item["kind"] == "Job"), f"{POD}.restartPolicy", "Always")
    assert [problem.path[-1] for problem in verify(items)] == ["restartPolicy"]


def test_a_file_that_the_config_map_lacks_is_found() -> None:
    made = plans()["nasty"]
    items = copy.deepcopy(list(flat(final(made, made.options["kubernetes"]))))
    put(next(item for item in items if item["kind"] == "ConfigMap"), "data", {})
    assert any("has no" in problem.message for problem in verify(items))


def test_a_collision_of_selectors_is_found() -> None:
    two = plan(service(), service("batch"))
    items = copy.deepcopy(list(flat(final(two, two.options["kubernetes"]))))
    put(
        next(i for i in items if i["kind"] == "Service"),
        "spec.selector",
        {"app.kubernetes.io/part-of": "llm"},
    )
    assert any("more than one workload" in problem.message for problem in verify(items))
