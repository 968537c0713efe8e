"""A namespace of a cluster, as kubectl knows it: what the deployments for `kubernetes` and `helm` share."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmdeploy.plan.model import Plan
from llmdeploy.runtime import logs
from llmdeploy.runtime.deploy import pods
from llmdeploy.runtime.deploy.model import Failed
from llmdeploy.runtime.runner import CannotRun, Completed, NotInstalled, Runner
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.kubernetes import commands, guide

PATIENCE_S = 120.0
_GLANCE_S = 30.0
_OLDEST = (1, 31)
_TOOLS = "https://kubernetes.io/docs/tasks/tools/"
# What runs, and what came of it; a ReplicaSet tells the Pods that are meant from those on their way out.
_WATCHED = "deployments.apps,replicasets.apps,pods"
_CONFLICT = re.compile(r'conflicts? with "([^"]+)"')


@dataclass(kw_only=True)
class Cluster:
    """Asks kubectl about one project. `context` is settled by `reach`, once for all."""

    plan: Plan
    options: Kubernetes
    runner: Runner
    context: str | None

    @property
    def namespace(self) -> str:
        return self.options.namespace or self.plan.name

    @property
    def where(self) -> str:
        return f"context {self.context}, namespace {self.namespace}"

    @property
    def deployments(self) -> dict[str, str]:
        """Return the model of each Deployment, by the Deployment's name."""
        return {f"{self.plan.name}-{service.name}": service.name for service in self.plan.services}

    def pinned(self, argv: commands.Argv) -> commands.Argv:
        assert self.context, "reach() comes first"
        return commands.pinned(argv, self.context)

    def run(self, argv: commands.Argv, patience_s: float = PATIENCE_S) -> Completed:
        return self.runner.run(self.pinned(argv), patience_s)

    def kubectl(self, *words: str, patience_s: float = PATIENCE_S) -> Completed:
        """Run kubectl in the namespace."""
        return self.run(("kubectl", "-n", self.namespace, *words), patience_s)

    def answer(self, argv: commands.Argv) -> str:
        """Return what a command says. Raises Failed where it fails."""
        done = self.run(argv)
        if done.status:
            raise Failed(last_words(done))
        return done.stdout

    def reach(self) -> None:
        """Settle on a context, and see that its cluster answers and is not too old."""
        try:
            self.context = self.context or self._current()
            done = self.run(("kubectl", "version", "-o", "json"))
        except NotInstalled:
            raise Failed("kubectl is not installed", _TOOLS) from None
        if done.status:
            raise Failed(
                f"the cluster of context `{self.context}` does not answer: {last_words(done)}",
                "`kubectl config get-contexts` lists those there are, `--context` names one",
            )
        version, text = _server_version(done.stdout)
        if version < _OLDEST:
            raise Failed(f"Kubernetes {text} is too old", "what was built needs 1.31 or newer")

    def _current(self) -> str:
        done = self.runner.run(("kubectl", "config", "current-context"), PATIENCE_S)
        if done.status or not done.stdout.strip():
            raise Failed(
                f"no cluster to go to: {last_words(done)}",
                "name one with `--context`, or set KUBECONFIG to a file that has a current context",
            )
        return done.stdout.strip()

    def phase(self) -> str:
        """Return the namespace's phase; "" where there is no such namespace."""
        get = ("kubectl", "get", "namespace", self.namespace)
        return self.answer((*get, "--ignore-not-found", "-o", "jsonpath={.status.phase}")).strip()

    def gateway_kinds(self) -> tuple[str, ...]:
        """Return the kinds of the Gateway API that the cluster has, of those that we make."""
        argv = ("kubectl", "api-resources", "--api-group=gateway.networking.k8s.io", "-o", "name")
        done = self.run(argv)
        # It fails for any API that is down, of whichever group, and still tells of the others.
        if done.status and not done.stdout.strip():
            raise Failed(last_words(done))
        served = set(done.stdout.split())
        return tuple(kind for kind in commands.GATEWAY_API if kind.replace(".", "s.", 1) in served)

    def names(self, kinds: str, selector: str) -> list[str]:
        """Return the objects of some kinds, as `deployment.apps/hybrid-chat`."""
        get = ("kubectl", "-n", self.namespace, "get", kinds, "-l", selector, "-o", "name")
        return _names(self.answer(get))

    def delete(self, kinds: str, selector: str, patience_s: float, *options: str) -> list[str]:
        """Delete objects and wait until they are gone; return which. Raises Failed where some stay."""
        done = self.run(
            (
                *commands.delete(self.namespace, kinds, selector),
                *("--ignore-not-found", "-o", "name", f"--timeout={patience_s:.0f}s"),
                *options,
            ),
            patience_s + PATIENCE_S,
        )
        if done.status:
            raise Failed(f"not all of it is gone: {last_words(done)}", "run it again")
        return _names(done.stdout)

    def unready(self) -> list[str]:
        """Return the Deployments that are not, or not yet, what was asked for with all Pods ready."""
        get = ("get", "deployments.apps", "-l", commands.selector(self.plan.name), "-o", "json")
        found = _items(self.answer(("kubectl", "-n", self.namespace, *get)))
        ready = {each["metadata"]["name"] for each in found if pods.is_rolled_out(each)}
        return [name for name in self.deployments if name not in ready]

    def failed_jobs(self) -> list[str]:
        """Return the downloads that have been given up."""
        get = ("get", "jobs.batch", "-l", commands.selector(self.plan.name), "-o", "json")
        found = _items(self.answer(("kubectl", "-n", self.namespace, *get)))
        return [each["metadata"]["name"] for each in found if pods.has_failed(each)]

    def watched(self) -> list[dict[str, Any]] | None:
        """Return the Deployments, ReplicaSets and Pods; None where the cluster does not answer just now."""
        get = ("get", _WATCHED, "-l", commands.selector(self.plan.name), "-o", "json")
        done = self._glance(*get)
        return None if done is None else _items(done.stdout)

    def log(self, pod: str, container: str, tail: int, *, previous: bool = False) -> str:
        """Return the end of what a container wrote, with `previous` the one before it; "" for none."""
        words = ("logs", pod, "-c", container, "--tail", str(tail), *(("--previous",) if previous else ()))
        done = self._glance(*words)
        # Where this machine has a secret's value too, it can be kept off the screen.
        values = (os.environ.get(each.env or "", "") for each in self.plan.secrets)
        return "" if done is None else logs.masked(done.stdout, values)

    def _glance(self, *words: str) -> Completed | None:
        """Ask what need not be answered: what a cluster does goes on when it does not answer for a while."""
        try:
            done = self.kubectl(*words, patience_s=_GLANCE_S)
        except CannotRun:
            return None
        return None if done.status else done

    def notes(self, folder: str) -> Iterator[str]:
        """Return what a person has to have done that cannot be seen from here."""
        for step in guide.image_steps(self.plan, folder):
            yield f"an image of your own must be where the cluster pulls from: {step.command}"


def last_words(done: Completed) -> str:
    return logs.last_line(done.stderr.strip() or done.stdout.strip() or f"status {done.status}")


def conflict(text: str, remedy: str) -> Failed | None:
    """Return why an apply was refused, if it was because others own fields that it sets."""
    # The API server's words; one owner is told of in one line, several in a list.
    if "Apply failed with" not in text:
        return None
    owners = ", ".join(f"`{each}`" for each in dict.fromkeys(_CONFLICT.findall(text))) or "others"
    return Failed(
        f"fields that llmdeploy sets are managed by {owners}",
        f"let it give them up; or take them over, which is your decision: {remedy}",
        [line for line in logs.lines(text) if _is_of_conflict(line)],
    )


def _is_of_conflict(line: str) -> bool:
    return bool(_CONFLICT.search(line)) or line.startswith("- .")


def _server_version(text: str) -> tuple[tuple[int, int], str]:
    try:
        server = json.loads(text)["serverVersion"]
        # Some clouds say "31+".
        major, minor = (int(re.findall(r"\d+", server[part])[0]) for part in ("major", "minor"))
        return (major, minor), str(server["gitVersion"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise Failed(f"kubectl tells of the server's version what is not understood: {error}") from error


def _items(text: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(text)["items"]
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"kubectl answers what is not understood: {error}") from error
    return found


def _names(text: str) -> list[str]:
    # Where there is nothing it says so, on stdout too.
    return [line for line in text.split() if "/" in line]
