"""Boots what was built for docker or Compose, as it will run, and takes it down again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from llmdeploy.runtime.deploy.model import Failed, Tell
from llmdeploy.runtime.deploy.onehost import OneHost
from llmdeploy.runtime.runner import CannotRun
from llmdeploy.runtime.smoke.boot import Booted
from llmdeploy.runtime.smoke.local import CannotBoot

_KNOCK_S = 3.0


@contextmanager
def booted(host: OneHost, tell: Tell, limit_s: float | None) -> Iterator[Booted]:
    """Run the containers until the end of the block. Raises CannotBoot; volumes are all that may stay."""
    url = host.address()[0]
    try:
        _check(host)
        if running := [each.name for each in host.docker.containers()]:
            raise CannotBoot(f"{running[0]} is there already: ask it with `--against {url}`, or take it down")
        try:
            tell(f"starting {', '.join(host.wanted())} on {host.where}")
            host.apply(tell, limit_s)
            yield Booted(_reached(host, tell), url if host.plan.routes else None)
        except BaseException:
            # What went wrong before is what counts.
            try:
                with suppress(Failed, CannotRun):
                    host.down(tell, volumes=False)
            finally:
                _tell_left(host, tell)
            raise
        host.down(tell, volumes=False)
    except (Failed, CannotRun) as error:
        raise CannotBoot(str(error), getattr(error, "lines", ())) from error


def _tell_left(host: OneHost, tell: Tell) -> None:
    try:
        left = [each.name for each in host.docker.containers()]
    except (Failed, CannotRun) as error:
        tell(f"whether anything is left is not known: {error}")
        return
    if left:
        tell(f"still there: {', '.join(left)}; `llmdeploy down -t {host.target}` takes it away")


def _check(host: OneHost) -> None:
    try:
        host.check()
    except Failed as error:
        raise CannotBoot("; ".join(filter(None, (error.message, error.help)))) from error


def _reached(host: OneHost, tell: Tell) -> dict[str, tuple[str, ...]]:
    """Return the replicas that this host can ask past the gateway."""
    replicas = host.replicas()
    for name, urls in replicas.items():
        if not urls or not all(map(_answers, urls)):
            # Where docker runs in a machine of its own, its networks are not this host's.
            tell(f"{name}: its network is not reached from here, so it is asked through its routes alone")
            replicas[name] = ()
    return replicas


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), _KNOCK_S).close()
    except OSError:
        return False
    return True
