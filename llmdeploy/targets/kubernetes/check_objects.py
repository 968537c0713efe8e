"""The compiler's own judgement of what it would emit, and of what patches make of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.kubernetes.manifests import flat, manifests
from llmdeploy.targets.kubernetes.meta import Object
from llmdeploy.targets.kubernetes.origins import section
from llmdeploy.targets.kubernetes.patches import as_data, matches, patched
from llmdeploy.targets.kubernetes.verify import Problem, verify

FIELDS = {
    "nodeSelector": "node_selector",
    "tolerations": "tolerations",
    "runtimeClassName": "runtime_class",
    "imagePullSecrets": "image_pull_secrets",
    "annotations": "annotations",
    "resources": "resources",
}
"""Which option stands behind a part of an object."""


def check_objects(plan: Plan, options: Kubernetes, target: str) -> Iterator[Diagnostic]:
    items = list(flat(manifests(plan, options)))
    judge = partial(verify, schemas=bool(options.patches))
    known = set(judge(items))
    for problem in sorted(known):
        field = next((FIELDS[str(key)] for key in problem.path if key in FIELDS), None)
        yield _refused(problem, section(plan, target, field) if field else ("targets", target))
    for index, patch in enumerate(options.patches):
        path: Path = (*section(plan, target, "patches"), index)
        before, data = items, as_data(patch)
        if impossible := [Diagnostic("LD404", message, (*path, *at)) for at, message in _impossible(data)]:
            yield from impossible
            continue
        items = [patched(item, [data]) for item in before]
        yield from _idle(before, items, data, path)
        new = set(judge(items)) - known
        yield from (_refused(problem, (*path, *_within(data, problem))) for problem in sorted(new))
        known |= new


def _impossible(data: Object) -> Iterator[tuple[Path, str]]:
    patch = data["patch"]
    yield from ((at, "a patch cannot remove a field: null") for at in _nulls(patch, ("patch",)))
    metadata = patch.get("metadata", {})
    for key in ("apiVersion", "kind", "metadata"):
        if key in patch and not (key == "metadata" and isinstance(metadata, dict)):
            yield ("patch", key), f"a patch cannot replace `{key}`"
    for key in ("name", "namespace"):
        if isinstance(metadata, dict) and key in metadata:
            yield ("patch", "metadata", key), f"a patch cannot change an object's {key}: others refer to it"


def _refused(problem: Problem, path: Path) -> Diagnostic:
    where = ".".join(str(key) for key in problem.path)
    return Diagnostic("LD404", f"{problem.object}: {f'`{where}` ' if where else ''}{problem.message}", path)


def _idle(before: list[Object], after: list[Object], patch: Object, path: Path) -> Iterator[Diagnostic]:
    if any(matches(item, patch) for item in before):
        if before == after:
            yield Diagnostic(
                "LD405", "this patch changes nothing: what it sets is so already", path, help="remove it"
            )
        return
    kinds = sorted({item["kind"] for item in before})
    names = sorted(item["metadata"]["name"] for item in before if item["kind"] == patch["kind"])
    wanted = f"{patch['kind']} `{patch['name']}`" if names else f"kind `{patch['kind']}`"
    have = names or kinds
    yield Diagnostic(
        "LD405",
        f"this patch changes nothing: there is no {wanted}",
        (*path, "name" if names else "kind"),
        help="there is " + ", ".join(f"`{name}`" for name in have),
    )


def _nulls(value: Any, path: Path) -> Iterator[Path]:
    if value is None:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield from _nulls(item, (*path, key))


def _within(patch: Object, problem: Problem) -> Path:
    """Return how far the problem's path goes inside the patch. Positions in lists differ after a merge."""
    at, value = ["patch"], patch["patch"]
    for key in problem.path:
        if not (isinstance(value, dict) and key in value):
            break
        at, value = [*at, str(key)], value[key]
    return tuple(at)
