"""A container, before it is spelled as arguments of docker or as a service of Compose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmdeploy.plan.model import Secret

ENGINES = "engines"
"""The network without a way out: engines and the gateway."""
EDGE = "edge"
"""The network that publishes ports, and that downloads."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A path of the host: absolute, `~/…`, or relative to the target's own directory."""

    source: str
    target: str
    read_only: bool
    create: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume; `name` has no project in front."""

    name: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Health:
    url: str
    period_s: int
    timeout_s: int
    failures: int
    start_s: int

    @property
    def command(self) -> tuple[str, ...]:
        # curl gives up before docker does, so that its message is what `inspect` shows.
        return ("curl", "-fsS", "-m", str(max(self.timeout_s - 1, 1)), "-o", "/dev/null", self.url)


@dataclass(frozen=True, slots=True)
class Devices:
    """NVIDIA devices go by id through the runtime, others by their files."""

    nvidia: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """A port of the host, and the one behind it."""

    address: str
    port: int
    inner: int


@dataclass(frozen=True, slots=True)
class Container:
    """`name` has no project in front; other containers reach it as `name` and as each of `aliases`.

    `build` is the directory of its image's Dockerfile. `token` is (variable, secret) of the Hub. `content`
    is the text of the files that it mounts: new text is a reason to start it anew.
    """

    name: str
    model: str
    image: str
    entrypoint: tuple[str, ...]
    args: tuple[str, ...]
    networks: tuple[str, ...]
    mounts: tuple[Bind | Volume, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secret_env: Mapping[str, Secret] = field(default_factory=dict)
    token: tuple[str, Secret] | None = None
    aliases: tuple[str, ...] = ()
    user: str | None = None
    capabilities: tuple[str, ...] = ()
    devices: Devices = Devices()
    build: str | None = None
    published: Published | None = None
    port: int | None = None
    health: Health | None = None
    stop_s: int = 10
    stop_signal: str = ""
    shm_gib: int = 0
    memory_gib: float | None = None
    once: bool = False
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()
    content: str = ""
