"""What apply and down do with kubectl and with helm alike: both leave objects in one namespace of a cluster."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from pathlib import Path
from typing import ClassVar

from llmdeploy.emit import shell
from llmdeploy.plan.model import Plan
from llmdeploy.runtime.deploy import surroundings
from llmdeploy.runtime.deploy.cluster import Cluster, last_words
from llmdeploy.runtime.deploy.differences import NOT_READY
from llmdeploy.runtime.deploy.model import Action, Change, Failed, Tell
from llmdeploy.runtime.deploy.rollouts import Watch
from llmdeploy.runtime.runner import Runner
from llmdeploy.targets.kubernetes import commands
from llmdeploy.targets.kubernetes.manifests import flat, manifests

# Beside the time that a Pod has to finish what it answers.
_SLACK_S = 120


class OnCluster(ABC):
    """A plan in a namespace. Pods are looked at every `period_s`; `sleep` and `clock` are time's own."""

    target: ClassVar[str]
    manager: ClassVar[str]
    """What the objects' label says of who manages them."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        runner: Runner,
        context: str | None,
        *,
        period_s: float = 10,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plan, self.folder, self.options = plan, folder, plan.options[self.target]
        self.cluster = Cluster(plan=plan, options=self.options, runner=runner, context=context)
        self.where = "a cluster"
        self._period_s, self._sleep, self._clock = period_s, sleep, clock
        self._notes: list[str] = []

    def reach(self) -> None:
        self.cluster.reach()
        self.where = self.cluster.where

    def check(self) -> None:
        self.reach()
        self._notes = surroundings.check(self.cluster, self.make_namespace())

    @abstractmethod
    def make_namespace(self) -> commands.Argv:
        """Return how a person makes the namespace before anything is applied."""

    def address(self) -> tuple[str, str]:
        return surroundings.address(self.cluster)

    @property
    def mine(self) -> str:
        """What selects the objects that this target made."""
        return commands.selector(self.plan.name, self.manager)

    def tell_notes(self, tell: Tell) -> None:
        for note in (*self._notes, *self.cluster.notes(str(self.folder / self.target))):
            tell(note)

    def unready(self, changing: Collection[str]) -> list[Change]:
        """Return a change for each Deployment that stays as it is and is not ready."""
        waited = [f"Deployment {name}" for name in self.cluster.unready()]
        return [Change(Action.UPDATE, each, NOT_READY) for each in waited if each not in changing]

    @property
    def jobs(self) -> frozenset[str]:
        """Return the downloads that are meant; where they are not in the engines' own Pods."""
        objects = flat(manifests(self.plan, self.options))
        return frozenset(each["metadata"]["name"] for each in objects if each["kind"] == "Job")

    def failed_jobs(self) -> list[str]:
        """Return the downloads that were given up. They stay so, whatever is applied over them."""
        return [name for name in self.cluster.failed_jobs() if name in self.jobs] if self.jobs else []

    def retried(self) -> list[Change]:
        return [
            Change(Action.RESTART, f"Job {name}", "its download has failed") for name in self.failed_jobs()
        ]

    def remove_failed_jobs(self, tell: Tell) -> None:
        """Delete them, so that they are made anew."""
        for name in self.failed_jobs():
            done = self.cluster.kubectl("delete", f"job.batch/{name}", "--ignore-not-found")
            if done.status:
                raise Failed(f"the failed download {name} cannot be removed: {last_words(done)}")
            tell(f"the download {name} had failed; it is tried anew")

    def watch(self, tell: Tell, is_undone: Callable[[], bool] | None = None) -> Watch:
        return Watch(
            cluster=self.cluster,
            jobs=self.jobs,
            tell=tell,
            is_undone=is_undone,
            period_s=self._period_s,
            sleep=self._sleep,
            clock=self._clock,
        )

    def tell_how_to_see(self, tell: Tell) -> None:
        get = (
            "kubectl",
            "-n",
            self.cluster.namespace,
            "get",
            "pods",
            "-l",
            commands.selector(self.plan.name),
        )
        tell(f"see it: {shell.join(self.cluster.pinned(get))}")
        down = ("llmdeploy", "down", "-t", self.target, "--context", self.cluster.context or "")
        tell(f"take it away: {shell.join(down)}, with the same llm.yaml")

    @property
    def drain_s(self) -> int:
        """How long the Pods may take to be gone."""
        return max(service.drain.grace_s for service in self.plan.services) + _SLACK_S

    def claims(self, tell: Tell, *, volumes: bool) -> list[str]:
        """With `volumes` delete the claims, weights included; else say that they stay."""
        if volumes:
            return self.cluster.delete(commands.CLAIM, self.mine, self.drain_s)
        if kept := self.cluster.names(commands.CLAIM, self.mine):
            tell(f"kept: {', '.join(kept)}; `--volumes` deletes them, weights included")
        return []

    def tell_what_stays(self, tell: Tell) -> None:
        delete = self.cluster.pinned(("kubectl", "delete", "namespace", self.cluster.namespace))
        tell(
            f"kept: namespace {self.cluster.namespace} and its Secrets; {shell.join(delete)} deletes all in it"
        )
