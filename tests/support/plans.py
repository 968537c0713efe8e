"""Plans made by hand, so that a target is tested without the rest of the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from llmdeploy.spec.targets import Compose, Docker

API_KEY = Secret("api-key", "LLM_API_KEY", ("llm-api-key", "key"), ("secrets", "api-key"))
HUB_TOKEN = Secret("hf-token", "HUB_TOKEN", ("hf-token", "token"), ("secrets", "hf-token"))
WEIGHTS = Mount(MountKind.WEIGHTS, "/models", read_only=True)
OPENAI = (Endpoint("/v1", Match.PREFIX), Endpoint("/health", Match.EXACT))

# Whatever a shell, Compose or YAML could take for something else.
HOSTILE = (
    'it\'s "quoted" $HOME ${X} $(id) `id` \\ *',
    "line\nbreak",
    "1e3",
    "y",
    "012",
    "",
    "ünïcode",
    "a,b",
    "#",
    "{x}",
)


def service(name: str = "chat", **changes: Any) -> Service:
    """One model on one NVIDIA GPU, downloaded from the Hub."""
    probe = Probe("/health", period_s=10, timeout_s=5, failures=3)
    values: dict[str, Any] = {
        "name": name,
        "origin": ("models", name),
        "engine": "one",
        "engine_version": "1.0",
        "launch": launch(),
        "gpus": gpus(["0"]),
        "served_names": (name,),
        "replicas": 1,
        "shm_gib": 2,
        "probes": Probes(probe, probe, probe),
        "drain": Drain(pre_stop_s=15, drain_s=60, grace_s=90),
        "ready_timeout_s": 600,
        "user": User(2000, 0),
        "mounts": (WEIGHTS, Mount(MountKind.CACHE, "/home/one/.cache", read_only=False)),
        "download": Download(("hf", "download", "org/model"), {"HF_HOME": "/models"}, token=None),
    }
    return Service(**{**values, **changes})


def launch(*args: str, **changes: Any) -> Launch:
    values: dict[str, Any] = {
        "image": "registry/one:1.0",
        "entrypoint": ("one", "serve"),
        "args": args or ("org/model", "--port=8000"),
        "env": {"HF_HOME": "/models"},
        "port": 8000,
    }
    return Launch(**{**values, **changes})


def gpus(*devices: list[str], vendor: str = "nvidia") -> Gpus:
    return Gpus("pool", vendor, len(devices[0]), f"{vendor}.com/gpu", tuple(tuple(ids) for ids in devices))


def plan(
    *services: Service, routes: bool = True, options: Mapping[str, Any] | None = None, **changes: Any
) -> Plan:
    """A route for each service, at its name."""
    values: dict[str, Any] = {
        "name": "proj",
        "services": services,
        "routes": tuple(
            Route(f"/{each.name}", each.name, OPENAI, ("routes", index))
            for index, each in enumerate(services)
            if routes
        ),
        "gateway": Gateway(),
        "storage": Storage(),
        "secrets": (),
        "options": {"docker": Docker(), "compose": Compose(), **(options or {})},
    }
    return Plan(**{**values, **changes})


ONE = plan(service())
HYBRID = plan(
    service("batch", gpus=gpus(["0", "1"]), shm_gib=8),
    service(
        "agents",
        gpus=gpus(["2"]),
        user=None,
        launch=launch(port=30000, secret_env={"ONE_API_KEY": API_KEY}),
        download=Download(("hf", "download", "org/gated"), {"HF_HOME": "/models"}, token=HUB_TOKEN),
    ),
    service("structured", gpus=gpus(["3"]), launch=launch(port=8080)),
    gateway=Gateway(auth=API_KEY),
    secrets=(API_KEY, HUB_TOKEN),
)
REPLICAS = plan(service(replicas=2, gpus=gpus(["0", "1"], ["2", "3"])))
AMD = plan(service(gpus=gpus(["0", "5"], vendor="amd"), user=None))
CPU = plan(service(gpus=Gpus("pool", "cpu", 0), memory_gib=9.75))
LOCAL = plan(
    service(
        mounts=(Mount(MountKind.MODEL, "/model", read_only=True, source="./my, models/one"),), download=None
    )
)
HOME = plan(service(), storage=Storage(path="~/.cache/hugging face"))
TEMPLATE = plan(
    service(
        mounts=(WEIGHTS, Mount(MountKind.FILE, "/etc/one/chat.jinja", read_only=True, source="chat.jinja")),
        files=(TextFile("chat.jinja", "{{ messages }}\n"),),
    )
)
BUILT = plan(
    service(
        build=Build((TextFile("Dockerfile", "FROM registry/one:1.0\n"),)), launch=launch(image="proj-chat:1")
    )
)
STRANGE = plan(
    service(launch=launch(*HOSTILE, env={f"V{index}": text for index, text in enumerate(HOSTILE)}))
)
NO_ROUTES = plan(
    service("a", replicas=2, gpus=gpus(["0"], ["1"])), service("b", gpus=gpus(["2"])), routes=False
)
SHARED = plan(
    service("first", replicas=2, gpus=gpus(["0"], ["1"])),
    service("second", gpus=gpus(["0"]), after=("first",)),
    service("third", gpus=gpus(["1"]), after=("first",)),
)
CLASH = plan(
    service("gateway"),
    service("a", replicas=2, gpus=gpus(["1"], ["2"])),
    service("a-2", gpus=gpus(["3"])),
    service("a-download", gpus=gpus(["4"])),
)

ALL = {
    "one": ONE,
    "hybrid": HYBRID,
    "replicas": REPLICAS,
    "amd": AMD,
    "cpu": CPU,
    "local": LOCAL,
    "home": HOME,
    "template": TEMPLATE,
    "built": BUILT,
    "strange": STRANGE,
    "no-routes": NO_ROUTES,
    "shared": SHARED,
    "clash": CLASH,
}
