"""All rules, over all objects: most faults are between two of them.

A schema sees unknown fields, wrong types and missing keys, and lets the rest pass; these are the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from llmdeploy.targets.kubernetes.verify.containers import containers
from llmdeploy.targets.kubernetes.verify.names import names
from llmdeploy.targets.kubernetes.verify.pods import pods
from llmdeploy.targets.kubernetes.verify.problem import Object, Problem, title
from llmdeploy.targets.kubernetes.verify.references import references
from llmdeploy.targets.kubernetes.verify.routing import routing

RULES: tuple[Callable[[Sequence[Object]], Iterator[Problem]], ...] = (
    names,
    pods,
    containers,
    references,
    routing,
)


def verify(items: Sequence[Object], *, schemas: bool = False) -> list[Problem]:
    """Return what is wrong with the objects. `schemas` asks the formats' own schemas first: 0.1 s.

    What a schema refuses is not looked into any further: the rules rely on the shape.
    """
    found = [problem for item in items for problem in _refused(item)] if schemas else []
    return sorted(found) if found else sorted(problem for rule in RULES for problem in rule(items))


def _refused(item: Object) -> Iterator[Problem]:
    from llmdeploy.emit.schemas import schema_errors  # jsonschema: 60 ms that only patches pay

    errors = schema_errors("kubernetes", item)
    for path, message in errors:
        yield Problem(title(item), tuple(str(key) for key in path), message)
    # The schema of a custom resource leaves metadata to the server.
    for field in () if errors else ("labels", "annotations"):
        pairs = item["metadata"].get(field, {})
        if not isinstance(pairs, Mapping) or not all(isinstance(value, str) for value in pairs.values()):
            yield Problem(title(item), ("metadata", field), "must be a map of texts")
