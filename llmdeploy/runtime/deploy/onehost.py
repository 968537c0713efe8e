"""What apply and down do with docker and with Compose: both leave containers on one host, and differ in who
makes them.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from llmdeploy.plan.model import Plan
from llmdeploy.runtime import logs
from llmdeploy.runtime.deploy.containers import GIVEN_UP, LINES, Container, Docker
from llmdeploy.runtime.deploy.model import Action, Change, Changes, Failed, Tell
from llmdeploy.runtime.http import fits_header
from llmdeploy.runtime.runner import Runner, Running, held, stop
from llmdeploy.spec.targets import Docker as Options
from llmdeploy.targets.onehost import checks, guide
from llmdeploy.targets.onehost.stack import Stack, stack

_PERIOD_S = 1.0
_REPORT_S = 10.0
_GRACE_S = 20.0
# The first start may meet a GPU that the old container has not let go of.
RESTARTS = GIVEN_UP - 1
# docker asks for the health again only after a period, and a container needs a moment to start.
_SLACK_S = 60.0
_DOWN_S = 600.0


class Wanted(Struct, frozen=True):
    """A container that shall run: the mark that an unchanged one bears, and the time that it may take."""

    mark: str
    ready_s: float


class OneHost(ABC):
    """A plan on the host of a docker daemon, as `target` spells it.

    A subclass says which containers shall run, what mark an unchanged one bears, and which commands start and
    remove them. `restarts` is how often an engine may end before it is given up.
    """

    target: str

    def __init__(self, plan: Plan, folder: Path, runner: Runner, label: str, restarts: int) -> None:
        self.plan, self.runner, self.restarts = plan, runner, restarts
        self.folder = folder / self.target
        self.docker = Docker(runner, f"{label}={plan.name}")
        self.where = "docker"
        self.before: frozenset[str] = frozenset()
        """Ids of the containers that were there when `apply` began."""
        self.replaced: frozenset[str] = frozenset()
        """Their names."""

    @abstractmethod
    def up(self) -> tuple[str, ...]:
        """Return the command that starts what is new or changed, and removes what is no longer wanted."""

    @abstractmethod
    def removal(self, *, volumes: bool) -> tuple[str, ...]:
        """Return the command that removes everything."""

    @abstractmethod
    def marks(self) -> Mapping[str, str]:
        """Return the mark of each container as it shall be, by the name that the target's own words have."""

    @abstractmethod
    def mark(self, container: Container) -> str:
        """Return the mark that a container bears."""

    @abstractmethod
    def full_name(self, name: str) -> str:
        """Return the name that docker knows a container by."""

    def secrets(self) -> Mapping[str, str]:
        """Return the variables that are set for those who start containers."""
        return os.environ

    def log(self, container: Container) -> str:
        """Return the end of what a container said, without the secrets that it was given."""
        return self.masked(self.docker.log(container))

    def masked(self, text: str) -> str:
        known = self.secrets()
        values = (known.get(each.env or "", "") for each in checks.needed_secrets(self.plan))
        return logs.masked(text, values)

    @property
    def options(self) -> Options:
        options: Options = self.plan.options[self.target]
        return options

    @property
    def stack(self) -> Stack:
        return stack(self.plan, self.options)

    @property
    def downloads(self) -> frozenset[str]:
        """The containers that fetch weights, and then end."""
        return frozenset(self.full_name(each.name) for each in self.stack.containers if each.once)

    def replicas(self) -> dict[str, tuple[str, ...]]:
        """Return the URLs of each model's replicas, as this host reaches them."""
        there = {each.name: each for each in self.docker.containers()}
        found: dict[str, list[str]] = {}
        for unit in self.stack.units:
            urls = found.setdefault(unit.service.name, [])
            for engine in unit.engines:
                container = there.get(self.full_name(engine.name))
                if engine.published:
                    options = self.options.model_copy(update={"port": engine.published.port})
                    urls.append(guide.base_url(options))
                elif container and container.addresses:
                    urls.append(f"http://{container.addresses[0]}:{engine.port}")
        return {name: tuple(urls) for name, urls in found.items()}

    def wanted(self) -> dict[str, Wanted]:
        times = {each.name: each.health.start_s for each in self.stack.containers if each.health}
        return {
            # What only an override of the user's has gets the time of the slowest.
            self.full_name(name): Wanted(mark, times.get(name, max(times.values())) + _SLACK_S)
            for name, mark in self.marks().items()
        }

    def reach(self) -> None:
        version = self.docker.check()
        host = re.sub(r"//[^/@]*@", "//", os.environ.get("DOCKER_HOST", ""))
        self.where = f"docker {version}" + (f" at {host}" if host else "")

    def check(self) -> None:
        self.reach()
        known = self.secrets()
        missing = [each for each in checks.needed_secrets(self.plan) if each.env and not known.get(each.env)]
        if missing:
            names = ", ".join(f"`{each.name}` ({each.env})" for each in missing)
            steps = "; ".join(f"read -rs {each.env} && export {each.env}" for each in missing)
            raise Failed(f"no value for secret {names}", f"run: {steps}")
        for each in checks.needed_secrets(self.plan):
            value = known.get(each.env or "", "")
            if not fits_header(value):
                raise Failed(f"secret `{each.name}`: {each.env} has a line break, or what is not ASCII")

    def changes(self) -> Changes:
        wanted = self.wanted()
        there = {each.name: each for each in self.docker.containers()}
        items = [
            change for name, each in wanted.items() if (change := self._change(name, each, there.get(name)))
        ]
        gone = sorted(there.keys() - wanted.keys())
        # A container that only fetched weights is done, and no change.
        items += [
            Change(Action.REMOVE, name, "llm.yaml has it no more")
            for name in gone
            if there[name].status == "running" or name not in self.downloads
        ]
        return Changes(items)

    def _change(self, name: str, wanted: Wanted, there: Container | None) -> Change | None:
        if there is None:
            return Change(Action.CREATE, name)
        if self.mark(there) != wanted.mark:
            return Change(Action.RESTART, name, "its settings have changed")
        if there.status != "running":
            return Change(Action.RESTART, name, f"it is {there.status}")
        if there.stuck:
            return Change(Action.RESTART, name, f"it is {there.health or there.status}, and stuck")
        return None if there.ready else Change(Action.UPDATE, name, f"it is not ready yet ({there.health})")

    def apply(self, tell: Tell, limit_s: float | None = None) -> None:
        there = self.docker.containers()
        # Whoever starts the containers takes one that runs for one that is well.
        self.docker.remove(hung := [each for each in there if each.stuck])
        self.before = frozenset(each.id for each in there if each not in hung)
        self.replaced = frozenset(each.name for each in there)
        with ExitStack() as endings:
            home = endings.enter_context(tempfile.TemporaryDirectory(prefix="llmdeploy-"))
            started: list[Running] = []
            endings.callback(lambda: stop(started, _GRACE_S))
            with held():
                started.append(self.runner.start(self.up(), Path(home, "log")))
            _Watch(self, started[0], tell, limit_s).until_ready()

    def undo(self, tell: Tell) -> None:
        made = [each for each in self.docker.containers() if each.id not in self.before]
        self.docker.remove(made)
        for each in made:
            again = "; what it was to replace is gone, too: apply again" if each.name in self.replaced else ""
            tell(f"{each.name}: taken away again{again}")
        if not self.docker.containers():
            self.runner.run(self.removal(volumes=False), _DOWN_S)

    def down(self, tell: Tell, *, volumes: bool) -> list[str]:
        there = [each.name for each in self.docker.containers()]
        kept = self.docker.kept()
        if there:
            tell(f"stopping {', '.join(there)}; what is being answered is finished first")
        done = self.runner.run(self.removal(volumes=volumes), self._patience())
        if done.status:
            raise Failed(
                f"not all of it is gone: {logs.last_line(self.masked(done.stdout + done.stderr))}",
                "run it again",
            )
        if kept and not volumes:
            tell(f"kept: {', '.join(kept)}; `--volumes` deletes them, weights included")
        return [*(f"container {name}" for name in there), *(f"volume {name}" for name in kept if volumes)]

    def address(self) -> tuple[str, str]:
        return guide.base_url(self.options), ""

    def _patience(self) -> float:
        return _DOWN_S + max(service.drain.grace_s for service in self.plan.services)


class _Watch:
    """Tells how the containers come up, and decides when they do not."""

    def __init__(self, host: OneHost, child: Running, tell: Tell, limit_s: float | None) -> None:
        self._host, self._child, self._tell, self._limit_s = host, child, tell, limit_s
        self._wanted = host.wanted()
        self._started = self._told = time.monotonic()
        self._running_since: dict[str, float] = {}
        self._coming: set[str] = set()
        self._restarts: dict[str, int] = {}

    def until_ready(self) -> None:
        """Return when every container is ready. Raises Failed when one ends, or takes too long."""
        while True:
            # Asked first: what has come to its end by now shows in what docker says after it.
            status = self._child.status
            there = {each.name: each for each in self._host.docker.containers()}
            for each in there.values():
                self._judge(each)
            waiting = [name for name in self._wanted if name not in there or not there[name].ready]
            if status == 0 and not waiting:
                return
            if status is not None:
                self._ended(status, there, waiting)
            self._report(there, waiting)
            time.sleep(_PERIOD_S)

    def _judge(self, container: Container) -> None:
        name, now = container.name, time.monotonic()
        wanted = self._wanted.get(name)
        # One of an older llm.yaml may be anything until it is replaced.
        if wanted is None or self._host.mark(container) != wanted.mark:
            return
        if container.status == "created":
            # Compose makes all at once, and starts one that shares a card when the one before it is ready.
            return
        since = self._running_since.setdefault(name, now)
        if container.ready:
            if name in self._coming:
                self._coming.remove(name)
                self._tell(f"{name}: ready in {now - since:.0f} s")
            return
        self._coming.add(name)
        ended = container.status in ("exited", "dead")
        if self._fresh_restarts(container) > self._host.restarts or (ended and container.exit_status):
            # One that runs again has no status any more.
            status = f" with status {container.exit_status}" if container.exit_status else ""
            self._give_up(container, f"ended{status}")
        limit = self._limit_s or wanted.ready_s
        if now - since > limit:
            self._give_up(
                container, f"is not ready after {limit:g} s ({container.health or container.status})"
            )

    def _fresh_restarts(self, container: Container) -> int:
        # An unchanged container remembers restarts of long ago.
        known = container.restarts if container.id in self._host.before else 0
        return container.restarts - self._restarts.setdefault(container.id, known)

    def _give_up(self, container: Container, what: str) -> None:
        text = self._host.log(container)
        raise Failed(
            f"`{container.name}` {what}: {logs.reason(text)}",
            f"`docker logs {container.name}` has the rest, as long as it is there; "
            f"`llmdeploy down -t {self._host.target}` takes it away",
            logs.lines(text)[-LINES:],
        )

    def _ended(self, status: int, there: Mapping[str, Container], waiting: Sequence[str]) -> None:
        """Whoever starts the containers has ended. Raises Failed unless all that is left is waiting."""
        late = [there[name] for name in waiting if name in there]
        asked_for = all(self._host.mark(each) == self._wanted[each.name].mark for each in late)
        if status == 0 and asked_for and len(late) == len(waiting):
            return
        for each in late:
            # The reason is the engine's own where there is one.
            if self._fresh_restarts(each) or each.health == "unhealthy" or each.status == "exited":
                self._give_up(each, f"is {each.health or each.status}")
        text = self._said()
        raise Failed(logs.reason(text), lines=logs.lines(text)[-LINES:])

    def _said(self) -> str:
        # up.sh shows the log of an engine that it gives up.
        return self._host.masked(logs.tail(self._child.log))

    def _report(self, there: Mapping[str, Container], waiting: Sequence[str]) -> None:
        now = time.monotonic()
        if now - self._told < _REPORT_S:
            return
        self._told = now
        working = [
            each for each in there.values() if each.name in waiting or each.name in self._host.downloads
        ]
        for each in working:
            if each.status == "running":
                line = logs.last_line(self._host.log(each))
                self._tell(f"{each.name}: {now - self._started:.0f} s, {each.health or each.status}; {line}")
        if not working:
            self._tell(f"{now - self._started:.0f} s; {logs.last_line(self._said())}")
