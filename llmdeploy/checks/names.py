"""Names become those of containers, Services and volumes, and must do as such."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Place

LONGEST = 52
"""Of `<project>-<model>`: 63 of a DNS label, less what Kubernetes and this compiler append."""

RESERVED = frozenset({"vllm", "sglang", "tgi", "bentoml", "master", "prometheus"})
"""A Service of such a name makes Kubernetes set variables (`VLLM_PORT=tcp://…`) that an engine reads."""


def check(context: Context) -> Iterator[Diagnostic]:
    spec = context.spec
    for section, entries in (("models", spec.models), ("gpus", spec.gpus), ("secrets", spec.secrets)):
        for name in entries:
            if name in RESERVED:
                yield Diagnostic(
                    "LD201",
                    f"`{name}` is reserved: a Service of this name gives engines variables they misread",
                    (section, name),
                    help=f"choose another name, like `my-{name}`; not one of "
                    + ", ".join(f"`{n}`" for n in sorted(RESERVED)),
                    place=Place.KEY,
                )
    for name in spec.models:
        full = f"{spec.name}-{name}"
        if len(full) > LONGEST:
            yield Diagnostic(
                "LD201",
                f"`{full}` has {len(full)} characters, at most {LONGEST} can be used for `<project>-<model>`",
                ("models", name),
                help=f"shorten the model's name or `name: {spec.name}`",
                place=Place.KEY,
            )
