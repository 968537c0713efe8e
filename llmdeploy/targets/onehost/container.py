"""A container, before it is spelled as arguments of docker or as a service of Compose."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from llmdeploy.plan.model import Secret

ENGINES = "engines"
"""The network without a way out: engines and the gateway."""
EDGE = "edge"
"""The network that publishes ports, and that downloads."""


class Bind(Struct, frozen=True):
    """A path of the host: absolute, `~/…`, or relative to the target's own directory."""

    source: str
    target: str
    read_only: bool
    create: bool = False


class Volume(Struct, frozen=True):
    """A named volume; `name` has no project in front."""

    name: str
    target: str
    read_only: bool


class Health(Struct, frozen=True):
    url: str
    period_s: int
    timeout_s: int
    failures: int
    start_s: int

    @property
    def command(self) -> tuple[str, ...]:
        # curl gives up before docker does, so that its message is what `inspect` shows.
        return ("curl", "-fsS", "-m", str(max(self.timeout_s - 1, 1)), "-o", "/dev/null", self.url)


class Devices(Struct, frozen=True):
    """NVIDIA devices go by id through the runtime, others by their files."""

    nvidia: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Published(Struct, frozen=True):
    """A port of the host, and the one behind it."""

    address: str
    port: int
    inner: int


class Container(Struct, frozen=True):
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
