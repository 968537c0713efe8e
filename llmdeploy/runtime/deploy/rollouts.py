"""Watches Pods come up beside the tools that wait for them, and decides when they will not."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmdeploy.emit import shell
from llmdeploy.runtime import logs
from llmdeploy.runtime.deploy.cluster import Cluster
from llmdeploy.runtime.deploy.model import Failed, Tell
from llmdeploy.runtime.deploy.pods import Container, Pod, State, state
from llmdeploy.runtime.runner import Running

LINES = 40
_LOG = 400
_TICK_S = 1.0
_RESTARTS = 3
_STANDS_S = 60.0
# So kubectl and helm say that Pods did not get ready. All else they know better themselves.
_LATE = ("not ready", "deadline", "timed out")
# What kubelet tries again for ever, though only a person can mend it.
_HOPELESS = ("ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError")


@dataclass(frozen=True, slots=True)
class Waiter:
    """A program that ends when these models are ready, with status 0, or when they will not be."""

    models: tuple[str, ...]
    running: Running


@dataclass(frozen=True, slots=True)
class _Trouble:
    """A Pod that is not ready, and the end of its log."""

    pod: Pod
    log: str


@dataclass(kw_only=True)
class Watch:
    """`jobs` are the downloads that are meant.

    `is_undone` is for a program that undoes what failed before it ends, as helm does: once it says so, other
    Pods come up. What was seen until then is what counts.
    """

    cluster: Cluster
    jobs: frozenset[str]
    tell: Tell
    is_undone: Callable[[], bool] | None = None
    period_s: float = 10
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _state: State = field(init=False, default_factory=State)
    _standing: dict[tuple[str, str], float] = field(init=False, default_factory=dict)
    _read: dict[tuple[str, str], int] = field(init=False, default_factory=dict)
    _first: dict[tuple[str, str], int] = field(init=False, default_factory=dict)
    _crashed: dict[str, _Trouble] = field(init=False, default_factory=dict)
    _slow: dict[str, _Trouble] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._begun = self.clock()
        self._next = self._begun + self.period_s
        self._models = self.cluster.deployments

    def follow(self, waiters: Sequence[Waiter], *, judge: bool = True) -> None:
        """Return when all have ended well. Raises Failed when one has not, or with `judge` when none can."""
        waiting = [each for each in waiters if not self._is_over(each)]
        while waiting:
            if self.clock() >= self._next:
                self._next = self.clock() + self.period_s
                self._look()
                self._report([model for each in waiting for model in each.models])
                if judge:
                    self._judge()
            self.sleep(min(_TICK_S, self.period_s))
            waiting = [each for each in waiting if not self._is_over(each)]

    def _is_over(self, waiter: Waiter) -> bool:
        status = waiter.running.status
        if status == 0:
            for model in waiter.models:
                self.tell(f"{model}: ready after {self._passed():.0f} s")
        elif status is not None:
            raise self._failed(waiter)
        return status == 0

    def _passed(self) -> float:
        return self.clock() - self._begun

    def _look(self) -> None:
        found = self.cluster.watched()
        if found is None:
            return
        self._state = state(found, self.jobs)
        for pod in self._state.pods:
            about = pod.about
            if pod.ready:
                self._forget(pod)
            if about and about.died and self._read.get((pod.name, about.name)) != about.restarts:
                self._read[pod.name, about.name] = about.restarts
                self._remember(self._crashed, _Trouble(pod, self._log(pod, about, _LOG)))

    def _remember(self, memory: dict[str, _Trouble], trouble: _Trouble) -> None:
        if not self._is_past():
            memory[self._model(trouble.pod)] = trouble

    def _forget(self, pod: Pod) -> None:
        for memory in (self._crashed, self._slow):
            known = memory.get(self._model(pod))
            if known and known.pod.name == pod.name and not self._is_past():
                del memory[self._model(pod)]

    def _is_past(self) -> bool:
        return self.is_undone is not None and self.is_undone()

    def _model(self, pod: Pod) -> str:
        return self._models.get(pod.deployment, pod.deployment)

    def _log(self, pod: Pod, about: Container, tail: int) -> str:
        return self.cluster.log(pod.name, about.name, tail, previous=about.previous)

    def _unready(self, model: str) -> list[Pod]:
        """Return the Pods that a model waits for, those first that tell the most."""
        pods = [each for each in self._state.pods if self._model(each) == model and not each.ready]
        return sorted(pods, key=lambda each: (not (each.about and each.about.died), not each.downloads))

    def _report(self, models: Sequence[str]) -> None:
        for model in models:
            if said := self._said(model):
                self.tell(f"{model}: {self._passed():.0f} s, {said}")

    def _said(self, model: str) -> str:
        if pods := self._unready(model):
            pod, log = pods[0], ""
            if pod.about and pod.about.state == "running":
                log = self.cluster.log(pod.name, pod.about.name, LINES)
            self._remember(self._slow, _Trouble(pod, log))
            return f"Pod {pod.name}: {pod.text}" + (f"; {logs.last_line(log)}" if log else "")
        deployment = self._deployment(model)
        if problem := self._state.problems.get(deployment):
            return f"no Pod can be made: {problem}"
        if any(self._model(each) == model for each in self._state.pods):
            return ""
        return "its old Pod finishes what it answers" if deployment in self._state.leaving else "no Pod yet"

    def _deployment(self, model: str) -> str:
        return next(name for name, each in self._models.items() if each == model)

    def _judge(self) -> None:
        now, before, self._standing = self.clock(), self._standing, {}
        for pod in self._state.pods:
            about = pod.about
            if about is None:
                continue
            # What had crashed before we came may have been mended; its next start tells.
            first = self._first.setdefault((pod.name, about.name), about.restarts)
            if about.reason == "CrashLoopBackOff" and first < about.restarts >= _RESTARTS:
                raise self._because_of(self._trouble(pod), "will not get ready")
            if about.reason in _HOPELESS:
                since = self._standing[pod.name, about.name] = before.get((pod.name, about.name), now)
                if now - since >= _STANDS_S:
                    raise self._because_of(self._trouble(pod), "will not get ready")

    def _trouble(self, pod: Pod) -> _Trouble:
        about, known = pod.about, self._crashed.get(self._model(pod))
        if about is None or not (about.died or about.state == "running"):
            return _Trouble(pod, "")  # what has never run has no log
        if known and known.pod == pod:
            return known
        return _Trouble(pod, self._log(pod, about, _LOG))

    def _failed(self, waiter: Waiter) -> Failed:
        """Find out why the program has failed: where Pods did not get ready, they know."""
        self._look()
        text = logs.tail(waiter.running.log)
        said = logs.reason(text)
        if not any(word in text for word in _LATE):
            return Failed(said, lines=logs.lines(text)[-LINES:])
        now, before = (self._there,), (self._crashed.get, self._slow.get)
        for find in (*before, *now) if self.is_undone else (*now, *before):
            for model in waiter.models:
                if trouble := find(model):
                    return self._because_of(trouble, "is not ready", f" ({said})")
        for model in waiter.models:
            if problem := self._state.problems.get(self._deployment(model)):
                return Failed(f"`{model}` is not ready: no Pod can be made: {problem} ({said})")
        return Failed(said, lines=logs.lines(text)[-LINES:])

    def _there(self, model: str) -> _Trouble | None:
        pods = self._unready(model)
        return self._trouble(pods[0]) if pods else None

    def _because_of(self, trouble: _Trouble, what: str, tool: str = "") -> Failed:
        pod, about, lines = trouble.pod, trouble.pod.about, logs.lines(trouble.log)
        reason = f": {logs.reason(trouble.log)}" if lines else ""
        said = f", container {about.name}: {about.text}" if about else f": {pod.text}"
        return Failed(
            f"`{self._model(pod)}` {what}: Pod {pod.name}{said}{reason}{tool}",
            f"`{shell.join(self._more(pod, about, has_log=bool(lines)))}` has the rest",
            lines[-LINES:],
        )

    def _more(self, pod: Pod, about: Container | None, *, has_log: bool) -> tuple[str, ...]:
        kubectl = self.cluster.pinned(("kubectl", "-n", self.cluster.namespace))
        if about is None or not has_log:
            return (*kubectl, "describe", "pod", pod.name)
        return (*kubectl, "logs", pod.name, "-c", about.name, *(("--previous",) if about.previous else ()))


def limit_of(limit_s: float | None, minutes: int) -> str:
    """Return a duration as kubectl and helm read it."""
    return f"{math.ceil(limit_s)}s" if limit_s else f"{minutes}m"
