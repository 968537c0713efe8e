"""Plans that between them use everything the Kubernetes targets can spell."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from llmdeploy.plan.model import (
    Build,
    Download,
    Drain,
    Endpoint,
    Gateway,
    Gpus,
    Launch,
    Match,
    Mount,
    MountKind,
    Plan,
    Probe,
    Probes,
    Route,
    Secret,
    Service,
    Storage,
    TextFile,
    User,
)
from llmdeploy.spec.targets import Kubernetes

TOKEN = Secret("hf-token", "HF_TOKEN", ("hf-token", "token"), ("secrets", "hf-token"))
KEY = Secret("api-key", "LLM_API_KEY", ("llm-api-key", "key"), ("secrets", "api-key"))
ENDPOINTS = (Endpoint("/v1", Match.PREFIX), Endpoint("/tokenize", Match.EXACT))

_ENDS = (*ENDPOINTS, Endpoint("/", Match.EXACT))
ROUTE = Route("/a.b", "chat", _ENDS, ("routes", 0))

TABLE: dict[str, str | None] = {
    "/a.b/v1": "/v1",
    "/a.b/v1/models": "/v1/models",
    "/a.b/tokenize": "/tokenize",
    "/a.b": "/",
    "/a.b/": "/",
    "/a.b/v1beta": None,
    "/a.b/tokenize/x": None,
    "/a.b/metrics": None,
    "/a.b/health": None,
    "/axb/v1/models": None,
    "/a.bc/v1/models": None,
    "/x/a.b/v1/models": None,
    "/v1/models": None,
    "/": None,
}
"""What a request for ROUTE reaches the engine as; None is 404 at the gateway."""

# Whatever a YAML reader, a template or Kubernetes' own expansion might touch.
NASTY = {
    "GO": "{{ .Values.secret }} {{- end }}",
    "SHELL": "$HOME ${HOME} $(HOME) $$ `id`",
    "QUOTES": 'it\'s "quoted" \\ back',
    "LINES": "one\n  two\n\nthree \n",
    "NUMBER": "1e3",
    "OCTAL": "012",
    "BOOLEAN": "y",
    "EMPTY": "",
    "UNICODE": "löß \U0001f600 \u2028 <&>",
    "COMMENT": "a # b: c",
}


def service(name: str = "chat", **changes: Any) -> Service:
    probe = Probe("/health", 10, 5, 3)
    base = Service(
        name=name,
        origin=("models", name),
        engine="fake",
        engine_version="1.2.3",
        launch=Launch(
            image="registry.example/fake:v1.2.3",
            entrypoint=("fake", "serve"),
            args=("org/model", f"--name={name}", '--json={"a": "$(X)", "b": [1]}'),
            env={"HF_HOME": "/models", "HF_HUB_OFFLINE": "1"},
            port=8000,
        ),
        gpus=Gpus("h100", "nvidia", 2, "nvidia.com/gpu", (), ("NVIDIA-H100-80GB-HBM3",), 79.2),
        served_names=(name,),
        replicas=1,
        shm_gib=8,
        probes=Probes(probe, probe, Probe("/health", 10, 15, 12)),
        drain=Drain(15, 120, 150),
        ready_timeout_s=1800,
        user=User(2000, 0),
        mounts=(
            Mount(MountKind.WEIGHTS, "/models", True),
            Mount(MountKind.CACHE, "/home/fake/.cache", False),
        ),
        download=Download(
            ("hf", "download", "org/model", "--revision", "main"), {"HF_HOME": "/models"}, TOKEN
        ),
    )
    return replace(base, **changes)


def plan(*services: Service, options: Kubernetes | None = None, name: str = "llm", **changes: Any) -> Plan:
    chosen = services or (service(),)
    options = options or Kubernetes()
    base = Plan(
        name=name,
        services=chosen,
        routes=tuple(Route(f"/{s.name}", s.name, ENDPOINTS, ("routes", i)) for i, s in enumerate(chosen)),
        gateway=Gateway(),
        storage=Storage(),
        secrets=(TOKEN, KEY),
        options={"kubernetes": options, "helm": options},
    )
    return replace(base, **changes)


def kubernetes(**fields: Any) -> Kubernetes:
    return Kubernetes.model_validate(fields)


def nasty() -> Service:
    launch = Launch(
        "registry.example/fake:1",
        ("fake",),
        (*NASTY.values(),),
        {"HF_HOME": "/m", **NASTY},
        8080,
        {"API_KEY": KEY},
    )
    file = TextFile(
        "nasty-chat-template.jinja", "{% for m in messages %}{{ m['content'] }}\n{% endfor %}\t$(X) ü\n"
    )
    mounts = (
        Mount(MountKind.WEIGHTS, "/m", True),
        Mount(MountKind.FILE, "/etc/llmdeploy/chat-template.jinja", True, file.name),
    )
    return service("nasty", launch=launch, files=(file,), mounts=mounts)


def root() -> Service:
    """An engine that runs as root, on an AMD GPU."""
    return service("root", user=None, gpus=Gpus("mi300x", "amd", 1, "amd.com/gpu"), shm_gib=2)


def _rooted(**changes: Any) -> Plan:
    ends = (Endpoint("/v1", Match.PREFIX), Endpoint("/", Match.EXACT), Endpoint("/generate.now", Match.EXACT))
    routes = (Route("/root", "root", ends, ("routes", 0)), Route("/chat", "chat", ENDPOINTS, ("routes", 1)))
    built = service(build=Build((TextFile("Dockerfile", "FROM scratch\n"),)))
    return plan(root(), built, routes=routes, **changes)


def cpu() -> Service:
    return service(
        "cpu", gpus=Gpus("cpu", "cpu", 0), memory_gib=16.0, shm_gib=2, download=replace(_open(), token=None)
    )


def _open() -> Download:
    download = service().download
    assert download
    return download


SIDECAR = {
    "name": "sidecar",
    "image": "registry.example/sidecar:1",
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}


def _patches() -> list[dict[str, Any]]:
    return [
        {"kind": "Deployment", "patch": {"spec": {"revisionHistoryLimit": 1}}},
        {
            "kind": "Deployment",
            "name": "llm-chat",
            "patch": {
                "spec": {
                    "template": {
                        "spec": {
                            "priorityClassName": "high",
                            "containers": [
                                {"name": "engine", "env": [{"name": "NCCL_DEBUG", "value": "{{ $x }}"}]},
                                SIDECAR,
                            ],
                            "tolerations": [{"key": "mine", "operator": "Exists"}],
                        }
                    }
                }
            },
        },
        {"kind": "Job", "patch": {"spec": {"backoffLimit": 2}}},
        {"kind": "PersistentVolumeClaim", "patch": {"metadata": {"annotations": {"a": "b"}}}},
    ]


def _odd_patches() -> list[dict[str, Any]]:
    """Numbers, falsehoods, nothings and changes of type."""
    ports = [{"name": "metrics", "port": 9000, "targetPort": "http"}, {"name": "http", "appProtocol": "http"}]
    return [
        {"kind": "Service", "patch": {"spec": {"publishNotReadyAddresses": False, "ports": ports}}},
        {"kind": "Deployment", "patch": {"spec": {"minReadySeconds": 1000000, "replicas": 0}}},
        {"kind": "Deployment", "patch": {"spec": {"template": {"metadata": {"annotations": {"a": ""}}}}}},
        {"kind": "NetworkPolicy", "patch": {"spec": {"egress": []}}},
        {"kind": "NetworkPolicy", "patch": {"spec": {"ingress": [{}]}}},
        {
            "kind": "HTTPRoute",
            "patch": {"spec": {"rules": [{"backendRefs": [{"name": "llm-chat", "port": 8000}]}]}},
        },
    ]


def _many_routes() -> Plan:
    """More rules than one HTTPRoute may have."""
    ends = (*(Endpoint(f"/v1/e{i}", Match.EXACT) for i in range(12)), Endpoint("/", Match.EXACT))
    routes = tuple(Route(f"/a.b~c-{i}/d_e", "chat", ends, ("routes", i)) for i in range(3))
    return plan(routes=routes)


def plans() -> dict[str, Plan]:
    shared = Storage(None, 500.5, "fast", "ReadWriteMany")
    tls = Gateway("llm.example.com", "llm-tls", KEY, 900)
    every = {
        "node_selector": {"disk": "ssd", "number": "1e3"},
        "tolerations": [
            {
                "key": "team",
                "operator": "Equal",
                "value": "ml",
                "effect": "NoExecute",
                "tolerationSeconds": 60,
            }
        ],
        "runtime_class": "nvidia",
        "image_pull_secrets": ["registry"],
        "annotations": {"example.com/owner": "it's {{ me }}"},
        "resources": {"cpu": 2.5, "memory": "64GiB"},
        "namespace": "elsewhere",
    }
    two = (service(replicas=2), service("batch", engine="other", replicas=1))
    existing = {"name": "public", "namespace": "infra", "section": "web"}
    return {
        "one": plan(),
        "two-shared": plan(*two, storage=shared),
        "nasty": plan(nasty(), cpu(), gateway=replace(tls, tls_secret=None)),
        "root": _rooted(gateway=tls),
        "every-option": plan(options=kubernetes(**every), storage=shared),
        "ingress": _rooted(gateway=tls, options=kubernetes(routing="ingress")),
        "ingress-bare": plan(options=kubernetes(routing="ingress")),
        "existing-gateway": plan(gateway=tls, options=kubernetes(gateway=existing)),
        "class": plan(options=kubernetes(gateway={"class": "eg"})),
        "port-forward": plan(options=kubernetes(routing="none")),
        "no-routes": plan(routes=()),
        "many-routes": _many_routes(),
        "many-routes-ingress": replace(
            _many_routes(),
            options={"kubernetes": kubernetes(routing="ingress"), "helm": kubernetes(routing="ingress")},
        ),
        "patches": plan(options=kubernetes(patches=_patches()), storage=shared),
        "odd-patches": plan(options=kubernetes(patches=_odd_patches())),
        "own-selector": plan(options=kubernetes(node_selector={"nvidia.com/gpu.product": "NVIDIA-L4"})),
        "bare": plan(service(mounts=(), download=None, drain=Drain(0, 0, 15), gpus=Gpus("cpu", "cpu", 0))),
    }
