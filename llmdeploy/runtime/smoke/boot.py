"""Boots every model of a plan as processes of this machine, the gateway before them, and takes them down again."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import Signals

from msgspec import Struct, field
from msgspec.structs import replace

from llmdeploy.gateways import nginx
from llmdeploy.plan.model import Plan, Service
from llmdeploy.runtime import logs
from llmdeploy.runtime.http import Client, Unreachable
from llmdeploy.runtime.runner import CannotRun, Child, held, stop
from llmdeploy.runtime.smoke import local
from llmdeploy.runtime.smoke.local import HOST, CannotBoot, Site

Tell = Callable[[str], None]
_PERIOD_S = 0.5
_REPORT_S = 5.0
_GRACE_S = 20.0
_LINES = 20
_GATEWAY_READY_S = 10.0


class Booted(Struct, frozen=True):
    """What runs: the URLs of each model's replicas that can be reached, and of the gateway where there is one.

    `processes` has what answers at a URL, where it is a process of ours.
    """

    replicas: Mapping[str, tuple[str, ...]]
    gateway: str | None
    processes: Mapping[str, Child] = field(default_factory=dict)


class Place(Struct, frozen=True):
    """`directory` holds llm.yaml; `ready_s` is instead of the plan's.

    `programs` has the directory that is searched before PATH for each engine, and under "" for all others.
    """

    directory: Path
    programs: Mapping[str, Path] = field(default_factory=dict)
    ready_s: float | None = None

    def path(self, engine: str) -> str:
        """Return where the programs of an engine are searched."""
        first = self.programs.get(engine) or self.programs.get("")
        return os.pathsep.join([*([str(first)] if first else []), os.environ.get("PATH", "")])


class _Unit(Struct, frozen=True):
    """A program of ours that serves: one replica of a model, or the gateway."""

    name: str
    port: int
    child: Child
    secrets: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def log(self) -> str:
        """Return the end of what it said, without the secrets that it was given."""
        return logs.masked(logs.tail(self.child.log), self.secrets)

    def check(self) -> None:
        """Raise CannotBoot when it has ended."""
        status = self.child.status
        if status is not None:
            # Who is killed, as where memory runs out, leaves no word of it in the log.
            how = f"ended with status {status}" if status >= 0 else f"was ended by {Signals(-status).name}"
            raise self.failure(how)

    def failure(self, what: str) -> CannotBoot:
        said = self.log()
        return CannotBoot(f"`{self.name}` {what}: {logs.reason(said)}", logs.lines(said)[-_LINES:])


@contextmanager
def booted(plan: Plan, place: Place, tell: Tell) -> Iterator[Booted]:
    """Run the plan until the end of the block. Raises CannotBoot, and leaves nothing behind in any case."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmdeploy-")))
        ports = iter(_free_ports(sum(service.replicas for service in plan.services)))
        units: list[_Unit] = []
        stack.callback(lambda: stop([unit.child for unit in units], _GRACE_S))
        ready: set[str] = set()

        def wait(names: Collection[str]) -> None:
            for unit in [each for each in units if each.name in names and each.name not in ready]:
                _wait(unit, plan.service(unit.name), place, units, tell)
            ready.update(names)

        for service in plan.services:
            wait(service.after)
            for index in range(service.replicas):
                with held():
                    units.append(_start(service, index, next(ports), place, home, tell))
        wait([service.name for service in plan.services])
        urls = {
            service.name: tuple(unit.url for unit in units if unit.name == service.name)
            for service in plan.services
        }
        gateway = stack.enter_context(gate(plan, urls)) if plan.routes and _nginx() else None
        if plan.routes and gateway is None:
            tell("nginx is not installed: the routes are not asked")
        yield Booted(urls, gateway, {unit.url: unit.child for unit in units})


@contextmanager
def gate(plan: Plan, urls: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Run the gateway that docker and Compose have, in front of models at these URLs; gives its own."""
    program = _nginx()
    if program is None:
        raise CannotBoot("nginx is not installed")
    (port,) = _free_ports(1)
    addresses = {name: [url.removeprefix("http://") for url in each] for name, each in urls.items()}
    with tempfile.TemporaryDirectory(prefix="llmdeploy-") as home:
        file = Path(home, "nginx.conf")
        file.write_text(nginx.config(plan, addresses, None, f"{HOST}:{port}"))
        argv = (program, "-p", home, "-e", "stderr", "-c", str(file), "-g", "daemon off;")
        units: list[_Unit] = []
        try:
            with held():
                units.append(_Unit("nginx", port, _child("nginx", argv, os.environ, Path(home, "log"))))
            (unit,) = units
            _until_ready(unit, Client(unit.url), "/healthz", units, _GATEWAY_READY_S)
            yield unit.url
        finally:
            stop([unit.child for unit in units], _GRACE_S)


def _start(service: Service, index: int, port: int, place: Place, home: Path, tell: Tell) -> _Unit:
    command = local.command(service, index, port, Site(place.directory, home, os.environ))
    path = place.path(service.engine)
    program = shutil.which(command.argv[0], path=path)
    if program is None:
        raise CannotBoot(f"`{service.name}`: `{command.argv[0]}` is not on PATH; name its directory")
    # What it leaves in a temporary directory goes with ours.
    env = {**os.environ, "PATH": path, "TMPDIR": str(home), **command.env}
    without = f", without the container's {', '.join(command.dropped)}" if command.dropped else ""
    tell(f"{service.name}: starting {program} on {HOST}:{port} for port {service.launch.port}{without}")
    child = _child(service.name, (program, *command.argv[1:]), env, home / f"{service.name}-{index}.log")
    return _Unit(service.name, port, child, tuple(env[name] for name in service.launch.secret_env))


def _child(name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Child:
    try:
        return Child(argv, env, log)
    except CannotRun as error:
        raise CannotBoot(f"`{name}`: {error}") from error


def _wait(unit: _Unit, service: Service, place: Place, units: Sequence[_Unit], tell: Tell) -> None:
    told = start = time.monotonic()

    def report(status: str) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _REPORT_S:
            told = now
            tell(f"{unit.name}: {now - start:.0f} s, {status}; {logs.last_line(unit.log())}")

    probe = service.probes.startup
    client = Client(unit.url, deadline_s=probe.timeout_s)
    _until_ready(unit, client, probe.path, units, place.ready_s or service.ready_timeout_s, report)
    tell(f"{unit.name}: ready in {time.monotonic() - start:.1f} s")


def _until_ready(
    unit: _Unit,
    client: Client,
    path: str,
    units: Sequence[_Unit],
    limit_s: float,
    report: Tell = lambda status: None,
) -> None:
    """Ask until the answer is 200. Raises CannotBoot when one of `units` ends, or when the time is up."""
    end = time.monotonic() + limit_s
    while True:
        left = end - time.monotonic()
        try:
            status = str(replace(client, deadline_s=max(0.1, min(client.deadline_s, left))).get(path).status)
        except Unreachable as error:
            status = str(error)
        # First whether all still run: another program could have the port, and one that ends is not waited for.
        for each in units:
            each.check()
        if status == "200":
            return
        if left <= 0:
            raise unit.failure(f"is not ready after {limit_s:g} s ({status})")
        report(status)
        time.sleep(_PERIOD_S)


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody has now; all are held until all are known, so they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def _nginx() -> str | None:
    # Debian keeps it in /usr/sbin, which is not on an ordinary user's PATH.
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
