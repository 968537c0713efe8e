"""The plan, the one thing that every target reads.

Frozen, and free of any engine's or target's vocabulary: an engine has already been reduced to a `Launch`,
and a target only spells what stands here. Sizes are GiB, times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct, field

from llmdeploy.memory.model import Ledger

Path = tuple[str | int, ...]
"""Where in llm.yaml a value comes from; same shape as `diagnostics.Path`."""


class Why(Struct, frozen=True):
    """A derived value and its reason, as `llmdeploy plan` prints it."""

    setting: str
    value: str
    because: str


class Secret(Struct, frozen=True):
    """A credential by reference; its value is never known to the compiler.

    `env` is the variable that holds it on a docker or Compose host; `kubernetes` is (Secret's name, key).
    """

    name: str
    env: str | None
    kubernetes: tuple[str, str] | None
    origin: Path


class Probe(Struct, frozen=True):
    """An HTTP request that answers 200 when it holds."""

    path: str
    period_s: int
    timeout_s: int
    failures: int


class Probes(Struct, frozen=True):
    """`startup` may fail for `ready_timeout_s` in all; the others begin when it has passed once."""

    startup: Probe
    readiness: Probe
    liveness: Probe


class Drain(Struct, frozen=True):
    """How long a stop may take: leave the endpoints, finish what runs, and then some. Seconds.

    `grace_s` >= `pre_stop_s` + `drain_s` + 15 always holds.
    """

    pre_stop_s: int
    drain_s: int
    grace_s: int


class User(Struct, frozen=True):
    uid: int
    gid: int


class Gpus(Struct, frozen=True):
    """What one replica takes from its pool. On a CPU pool `count` is 0 and `resource` None.

    `resource` is the Kubernetes extended resource. `devices` has one tuple of host device ids for each
    replica, for the targets that place models on one host by hand; empty where the pool cannot name them.
    `products` are values of the node's `nvidia.com/gpu.product` label that mark a fitting node. `driver` is the
    least major of NVIDIA's driver that the image's CUDA works with, where that is known.
    """

    pool: str
    vendor: str
    count: int
    resource: str | None = None
    devices: tuple[tuple[str, ...], ...] = ()
    products: tuple[str, ...] = ()
    memory_gib: float | None = None
    driver: int | None = None
    share: float | None = None
    """Of each card, where others may have the rest."""


class MountKind(StrEnum):
    WEIGHTS = "weights"
    """The Hub cache: one for the project on docker and Compose."""
    MODEL = "model"
    """A local directory of weights (model, drafter, adapter), `Mount.source` as llm.yaml spells it."""
    CACHE = "cache"
    """The engine's own cache (compiled kernels), one for each model."""
    FILE = "file"
    """One small text file that travels with the artifacts: `Mount.source` is the name of a `TextFile`."""


class Mount(Struct, frozen=True):
    """Something the engine's container sees at `target`.

    `source` of a MODEL is a host path: absolute, `~/…`, or relative to llm.yaml; `origin` is where that asks for it.
    """

    kind: MountKind
    target: str
    read_only: bool
    source: str = ""
    origin: Path = ()


class TextFile(Struct, frozen=True):
    """A file whose text travels with the artifacts (a chat template)."""

    name: str
    text: str


class Download(Struct, frozen=True):
    """Fetches the weights into the WEIGHTS mount, before the engine starts, with the engine's own image.

    The only container that has a Hub token and a way out to the network. `command` is a whole argv.
    """

    command: tuple[str, ...]
    env: Mapping[str, str]
    token: Secret | None
    token_env: str = "HF_TOKEN"


class Build(Struct, frozen=True):
    """An image that no registry has: `files` is its build context, with a `Dockerfile`."""

    files: tuple[TextFile, ...]


class Launch(Struct, frozen=True):
    """An engine's whole difference: what runs in the container.

    `entrypoint` is spelled out, so that nothing rests on an image's default. `secret_env` holds variables
    whose value is a secret.
    """

    image: str
    entrypoint: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str]
    port: int
    secret_env: Mapping[str, Secret] = field(default_factory=dict)

    @property
    def argv(self) -> tuple[str, ...]:
        return (*self.entrypoint, *self.args)


class NativeRequest(Struct, frozen=True):
    """A request of an engine's own API, as its own clients send it: a POST whose answer keeps to a JSON Schema.

    In `body`, the texts "{prompt}", "{schema}" and "{schema_text}" stand for the question, the schema, and the
    schema as JSON in a text. `answer` is the way to the generated text in what comes back.
    """

    name: str
    path: str
    body: Mapping[str, Any]
    answer: tuple[str | int, ...]


class PrefixCache(Struct, frozen=True):
    """Where an engine counts the tokens that it looked up in its prefix cache, and those that it found there."""

    path: str
    hits: str
    queries: str


class Api(Struct, frozen=True):
    """How an engine's API differs from OpenAI's, for those who ask it.

    `named`: it serves the names of llm.yaml, and not any name. `response_format` is a form like that of
    NativeRequest, where the engine has its own. `prefix_cache` is None where it does not count.
    """

    named: bool = True
    response_format: Mapping[str, Any] | None = None
    native: tuple[NativeRequest, ...] = ()
    prefix_cache: PrefixCache | None = None


class Startup(Struct, frozen=True):
    """What a start is expected to take, part by part, and the limits that follow; all in whole seconds.

    `disk_bytes` are those of the weights as they are stored. A part that is not known is None, and `unknown` says
    why; what is fetched in no time is not fetched. A limit is what is expected and as much again, `spare_s` at most, and
    not below a floor.
    """

    disk_bytes: int | None = None
    fetch_s: int | None = None
    read_s: int | None = None
    start_s: int | None = None
    compile_s: int | None = None
    capture_s: int | None = None
    spare_s: int | None = None
    unknown: str | None = None
    ready_limit_s: int = 1800
    fetch_limit_s: int = 3600

    @property
    def expected_s(self) -> int | None:
        """From the start of the engine until it is ready; the weights are there by then."""
        parts = (self.read_s, self.start_s, self.compile_s, self.capture_s)
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None


class Service(Struct, frozen=True):
    """One model, as it will run. Every replica is the same."""

    name: str
    origin: Path
    engine: str
    engine_version: str
    launch: Launch
    gpus: Gpus
    served_names: tuple[str, ...]
    replicas: int
    shm_gib: int
    probes: Probes
    drain: Drain
    ready_timeout_s: int
    user: User | None
    mounts: tuple[Mount, ...]
    files: tuple[TextFile, ...] = ()
    download: Download | None = None
    build: Build | None = None
    why: tuple[Why, ...] = ()
    memory_gib: float | None = None
    """Host memory of the pool's node that this replica may take, where llm.yaml states it (CPU pools)."""
    structured_output: bool = True
    """Whether answers can be held to a JSON Schema; the launch already says so to the engine."""
    prefix_caching: bool = True
    """Whether llm.yaml has it on; the launch already says so to the engine."""
    reasons: bool = False
    """Whether what the model thinks is kept apart from what it answers."""
    task: Literal["generate", "embed"] = "generate"
    adapter_names: Mapping[str, str] = field(default_factory=dict)
    """LoRA adapter -> what clients write in "model" to have it."""
    api: Api = Api()
    startup: Startup = Startup()
    """What a start is expected to take. `ready_timeout_s` is its limit, unless llm.yaml states one."""
    memory: Ledger | None = None
    """What one replica takes of its GPUs; None where the memory of the pool is not known."""
    after: tuple[str, ...] = ()
    """Services before it in the plan that must be ready when it starts: they share a card."""

    def mount(self, kind: MountKind) -> Mount | None:
        return next((m for m in self.mounts if m.kind is kind), None)


class Match(StrEnum):
    PREFIX = "prefix"
    """The path itself and everything below it, by whole segments."""
    EXACT = "exact"


class Endpoint(Struct, frozen=True):
    """A path of the engine that a route lets through. `/` is always EXACT."""

    path: str
    match: Match


class Route(Struct, frozen=True):
    """`path` is stripped: `/batch` + `/v1/models` reaches `service` as `/v1/models`.

    Only `endpoints` pass, all else is 404 at the gateway. `path` has no trailing slash.
    """

    path: str
    service: str
    endpoints: tuple[Endpoint, ...]
    origin: Path


class Gateway(Struct, frozen=True):
    """The way in. `auth` is the key that the engines themselves check."""

    host: str | None = None
    tls_secret: str | None = None
    auth: Secret | None = None
    idle_timeout_s: int = 600


class Storage(Struct, frozen=True):
    """The Hub cache. `path` is a host directory (docker, Compose); None is a named volume."""

    path: str | None = None
    size_gib: float = 200
    storage_class: str | None = None
    access: str = "ReadWriteOnce"


class Plan(Struct, frozen=True):
    """Everything that a target needs.

    `options` has each target's own section of llm.yaml, as that target's spec model. `spec_dir` is the way
    from the output root to the directory of llm.yaml, for paths that llm.yaml spells relative to itself.
    """

    name: str
    services: tuple[Service, ...]
    routes: tuple[Route, ...]
    gateway: Gateway
    storage: Storage
    secrets: tuple[Secret, ...]
    options: Mapping[str, Any]
    spec_dir: str = ".."

    def service(self, name: str) -> Service:
        return next(s for s in self.services if s.name == name)

    def routes_of(self, service: str) -> tuple[Route, ...]:
        return tuple(r for r in self.routes if r.service == service)
