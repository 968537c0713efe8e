"""`apply` for the target kubernetes: kubectl applies the manifests that were built; rollouts are waited for."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from llmdeploy.emit import shell
from llmdeploy.runtime import logs
from llmdeploy.runtime.deploy import differences
from llmdeploy.runtime.deploy.cluster import conflict, last_words
from llmdeploy.runtime.deploy.model import Action, Change, Changes, Failed, Tell
from llmdeploy.runtime.deploy.oncluster import OnCluster
from llmdeploy.runtime.deploy.rollouts import Waiter, limit_of
from llmdeploy.runtime.runner import Completed, held, stop
from llmdeploy.targets.kubernetes import commands, guide
from llmdeploy.targets.kubernetes.manifests import flat, manifests
from llmdeploy.targets.kubernetes.meta import Object

_APPLY_S = 600.0
_GRACE_S = 5.0


class Kubernetes(OnCluster):
    target = "kubernetes"
    manager = commands.MANAGER

    @property
    def manifests(self) -> str:
        return str(self.folder / "kubernetes")

    def make_namespace(self) -> commands.Argv:
        return commands.make_namespace(self.manifests)

    def changes(self) -> Changes:
        if not self.cluster.phase():
            return Changes([Change(Action.CREATE, _what(item)) for item in self._objects()])
        done = self.cluster.run(commands.diff(self.manifests), _APPLY_S)
        if done.status > 1:
            raise self._refused(done)
        found = differences.of_kubectl(done.stdout) if done.status else Changes(())
        gone = [Change(Action.REMOVE, _spoken(name), differences.GONE) for name in self._stale()[0]]
        items = [*found.items, *self.retried(), *gone]
        items += self.unready({change.what for change in items})
        # A day after its end a download is tidied away (ttlSecondsAfterFinished); the weights are there.
        if all(change.action is Action.CREATE and change.what.startswith("Job ") for change in items):
            return Changes(())
        return Changes(items, found.diff)

    def _objects(self) -> list[Object]:
        return list(flat(manifests(self.plan, self.options)))

    def _stale(self) -> tuple[list[str], list[str]]:
        """Return what an earlier llm.yaml made and this one does not, like `service/hybrid-chat`; claims apart."""
        meant = {f"{commands.resource(item)}/{item['metadata']['name']}" for item in self._objects()}
        kinds = (*commands.RUNNING, *commands.AROUND, *self.cluster.gateway_kinds(), commands.CLAIM)
        stale = [name for name in self.cluster.names(",".join(kinds), self.mine) if name not in meant]
        claims = [name for name in stale if name.startswith(f"{commands.CLAIM}/")]
        return [name for name in stale if name not in claims], claims

    def apply(self, tell: Tell, limit_s: float | None) -> None:
        self.tell_notes(tell)
        self.remove_failed_jobs(tell)
        done = self.cluster.run(commands.apply(self.manifests), _APPLY_S)
        for line in logs.lines(done.stderr):
            if line.startswith("Warning:"):
                tell(line)
        if done.status:
            raise self._refused(done)
        self._prune(tell)
        self._wait(tell, limit_s)

    def _refused(self, done: Completed) -> Failed:
        forced = (*self.cluster.pinned(commands.apply(self.manifests)), "--force-conflicts")
        return conflict(done.stderr, shell.join(forced)) or Failed(
            f"kubectl: {last_words(done)}", lines=logs.lines(done.stderr)
        )

    def _prune(self, tell: Tell) -> None:
        """Delete what is not made any more. `kubectl apply --prune` is alpha still, in 1.37."""
        stale, claims = self._stale()
        if stale:
            done = self.cluster.kubectl("delete", *stale, "--ignore-not-found", "-o", "name", "--wait=false")
            if done.status:
                raise Failed(f"what llm.yaml has no more is not gone: {last_words(done)}", "run it again")
            tell(f"removed: {', '.join(stale)}")
        if claims:
            tell(f"kept, though no model of llm.yaml has its weights there: {', '.join(claims)}")

    def _wait(self, tell: Tell, limit_s: float | None) -> None:
        with ExitStack() as endings:
            home = Path(endings.enter_context(tempfile.TemporaryDirectory(prefix="llmdeploy-")))
            waiters: list[Waiter] = []
            endings.callback(lambda: stop([each.running for each in waiters], _GRACE_S))
            for model, minutes in guide.waits(self.plan, self.options).items():
                limit = limit_of(limit_s, minutes)
                argv = commands.rollout(self.cluster.namespace, f"{self.plan.name}-{model}", limit)
                with held():
                    child = self.cluster.runner.start(self.cluster.pinned(argv), home / f"{model}.log")
                    waiters.append(Waiter((model,), child))
            self.watch(tell).follow(waiters)

    def undo(self, tell: Tell) -> None:
        """Leave it: a cluster goes on by itself, and what ran before an update is gone already."""
        tell("what was applied stays, and the cluster goes on with it")
        self.tell_how_to_see(tell)

    def down(self, tell: Tell, *, volumes: bool) -> list[str]:
        if not self.cluster.phase():
            return []
        tell(f"stopping; what is being answered is finished first, in at most {self.drain_s} s")
        # First what runs, so that the way to it is there until its last answer has gone out.
        gone = self.cluster.delete(
            ",".join(commands.RUNNING), self.mine, self.drain_s, "--cascade=foreground"
        )
        around = (*self.cluster.gateway_kinds(), *commands.AROUND)
        gone += self.cluster.delete(",".join(around), self.mine, self.drain_s)
        gone += self.claims(tell, volumes=volumes)
        self.tell_what_stays(tell)
        return gone


def _what(item: Object) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def _spoken(name: str) -> str:
    """deployment.apps/hybrid-chat, as llm.yaml's reader knows it: Deployment hybrid-chat."""
    kind, _, rest = name.partition("/")
    kinds = commands.RUNNING | commands.AROUND | commands.GATEWAY_API
    return f"{kinds.get(kind, kind)} {rest}"
