"""`apply` for the target helm: helm installs the chart that was built, and takes it back where that fails."""

from __future__ import annotations

import json
import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from llmdeploy.emit import shell
from llmdeploy.runtime import logs
from llmdeploy.runtime.deploy import differences
from llmdeploy.runtime.deploy.cluster import PATIENCE_S, conflict, last_words
from llmdeploy.runtime.deploy.model import Action, Change, Changes, Failed, Tell
from llmdeploy.runtime.deploy.oncluster import OnCluster
from llmdeploy.runtime.deploy.rollouts import Waiter, Watch, limit_of
from llmdeploy.runtime.runner import CannotRun, NotInstalled, held, stop
from llmdeploy.targets.kubernetes import commands, guide

_INSTALL = "install Helm 4: https://helm.sh/docs/intro/install/"
# On SIGTERM helm uninstalls, or rolls back and waits for what ran before; a killed one leaves a release that
# is `pending` and that no other helm touches (pkg/action/{install,upgrade}.go).
_GRACE_S = 60.0
# What helm logs when it begins to roll back (pkg/action/upgrade.go).
_FAILED = "upgrade failed"
# Beyond helm's own time limit, when it is asked about something that runs.
_SLACK_S = 60.0


class Release(Struct, frozen=True):
    """The newest revision of a release; `deployed` is the last one that worked out, if any."""

    status: str
    description: str
    revision: int
    deployed: int | None

    @property
    def is_stuck(self) -> bool:
        return self.status.startswith("pending-") or self.status == "uninstalling"


class Helm(OnCluster):
    target = "helm"
    manager = "Helm"

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def chart(self) -> str:
        return str(self.folder / "helm" / self.name)

    def make_namespace(self) -> commands.Argv:
        return ("kubectl", "create", "namespace", self.cluster.namespace)

    def reach(self) -> None:
        super().reach()
        try:
            done = self.cluster.runner.run(("helm", "version", "--short"), PATIENCE_S)
        except NotInstalled:
            raise Failed("helm is not installed", _INSTALL) from None
        found = re.search(r"v(\d+)\.\S*", done.stdout)
        if found is None or done.status:
            raise Failed(f"helm does not tell its version: {last_words(done)}", _INSTALL)
        if int(found[1]) < 4:
            raise Failed(f"Helm {found[0]} is too old: it has no --rollback-on-failure", _INSTALL)

    def changes(self) -> Changes:
        release, built = self._release(), self._built()
        if release is None:
            absent = [] if self.cluster.phase() else [f"Namespace {self.cluster.namespace}"]
            return Changes(
                [Change(Action.CREATE, what) for what in (*absent, *differences.objects_in(built))]
            )
        if release.is_stuck:
            raise Failed(
                f"release `{self.name}` is {release.status}: a helm is at it, or one was killed",
                f"if none is: {self._repair(release)}",
            )
        found = differences.of_manifests(self._installed() or "", built)
        items = [*found.items, *self.retried(), *self.unready({change.what for change in found.items})]
        if not items and release.status != "deployed":
            items.append(Change(Action.UPDATE, f"release {self.name}", release.description or release.status))
        return Changes(items, found.diff)

    def _helm(self, *words: str) -> str | None:
        """Return what helm says of the release; None where there is none."""
        done = self.cluster.run(("helm", *words, "-n", self.cluster.namespace))
        if done.status and "release: not found" in done.stderr:
            return None
        if done.status:
            raise Failed(f"helm: {last_words(done)}")
        return done.stdout

    def _release(self) -> Release | None:
        text = self._helm("history", self.name, "-o", "json")
        try:
            rows = sorted(json.loads(text or "[]"), key=lambda row: row["revision"])
            good = [row["revision"] for row in rows if row["status"] in ("deployed", "superseded")]
            # With --keep-history there may be some of one that is gone.
            if not rows or rows[-1]["status"] == "uninstalled":
                return None
            newest = rows[-1]
            return Release(
                newest["status"], newest.get("description", ""), newest["revision"], max(good, default=None)
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Failed(f"helm tells of its releases what is not understood: {error}") from error

    def _installed(self) -> str | None:
        return self._helm("get", "manifest", self.name)

    def _built(self) -> str:
        # Hooks are not in a release's manifest, and the chart has one: its test.
        argv = ("helm", "template", self.name, self.chart, "-n", self.cluster.namespace, "--no-hooks")
        done = self.cluster.runner.run(argv, PATIENCE_S)
        if done.status:
            raise Failed(f"helm cannot render the chart: {last_words(done)}")
        return done.stdout

    def _repair(self, release: Release) -> str:
        argv = commands.uninstall(self.name, self.cluster.namespace)
        if release.deployed is not None and release.status != "uninstalling":
            argv = ("helm", "rollback", self.name, str(release.deployed), "-n", self.cluster.namespace)
        return shell.join(self.cluster.pinned(argv))

    def apply(self, tell: Tell, limit_s: float | None) -> None:
        self.tell_notes(tell)
        self.remove_failed_jobs(tell)
        argv = self._upgrade(limit_s)
        with ExitStack() as endings:
            home = Path(endings.enter_context(tempfile.TemporaryDirectory(prefix="llmdeploy-")))
            waiters: list[Waiter] = []
            endings.callback(lambda: stop([each.running for each in waiters], _GRACE_S))
            with held():
                child = self.cluster.runner.start(argv, home / "helm.log")
                waiters.append(Waiter(tuple(self.cluster.deployments.values()), child))
            watch = self.watch(tell, lambda: _FAILED in logs.tail(child.log))
            with self._taken_back(waiters[0], watch, tell):
                watch.follow(waiters)

    @contextmanager
    def _taken_back(self, waiter: Waiter, watch: Watch, tell: Tell) -> Iterator[None]:
        """See to it that helm ends in its own way, and say what it has left."""
        try:
            yield
        except Failed as failure:
            if waiter.running.status is None:
                tell(f"{failure.message}\nhelm takes it back; Ctrl-C leaves that undone")
                waiter.running.signal(signal.SIGTERM)
                with suppress(Failed):
                    watch.follow([waiter], judge=False)
            forced = shell.join((*self._upgrade(None), "--force-conflicts"))
            refused = conflict(logs.tail(waiter.running.log), forced)
            raise refused or Failed(failure.message, self._aftermath(), failure.lines) from None
        except (KeyboardInterrupt, SystemExit):
            tell(f"helm takes it back, in at most {_GRACE_S:.0f} s; Ctrl-C once more leaves that undone")
            raise

    def _upgrade(self, limit_s: float | None) -> commands.Argv:
        limit = limit_of(limit_s, guide.budget_minutes(self.plan, self.options))
        upgrade = commands.upgrade(self.name, self.chart, self.cluster.namespace, limit)
        return self.cluster.pinned(upgrade)

    def _aftermath(self) -> str:
        """Say what helm has left."""
        try:
            release = self._release()
        except (Failed, CannotRun) as error:
            return f"what helm has left is not known: {error}"
        if release is None:
            return "helm has taken all of it away again, weights excepted"
        if release.is_stuck:
            return f"release `{self.name}` is {release.status}; this settles it: {self._repair(release)}"
        return (
            f"release `{self.name}` is {release.status}, revision {release.revision}: {release.description}"
        )

    def undo(self, tell: Tell) -> None:
        """Say how helm was left: it was ended by then, and has undone what it could."""
        tell(self._aftermath())
        self.tell_how_to_see(tell)

    def down(self, tell: Tell, *, volumes: bool) -> list[str]:
        gone: list[str] = []
        if (manifest := self._installed()) is not None:
            tell(f"stopping; what is being answered is finished first, in at most {self.drain_s} s")
            self._uninstall()
            gone = differences.objects_in(manifest, kept=False)
        gone += self.claims(tell, volumes=volumes)
        if gone:
            self.tell_what_stays(tell)
        return gone

    def _uninstall(self) -> None:
        argv = (
            *commands.uninstall(self.name, self.cluster.namespace),
            *("--ignore-not-found", "--wait", "--cascade", "foreground", "--timeout", f"{self.drain_s}s"),
        )
        done = self.cluster.run(argv, self.drain_s + _SLACK_S)
        if done.status:
            raise Failed(f"not all of it is gone: {last_words(done)}", "run it again")
