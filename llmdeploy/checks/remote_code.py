"""Code of the model's repository, which is run only at a commit that someone has read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Place

_COMMIT = re.compile(r"[0-9a-f]{40}")


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        pinned = _COMMIT.fullmatch(model.revision or "") is not None
        if model.trust_remote_code and model.source.path is None and not pinned:
            yield Diagnostic(
                "LD312",
                f"`{name}` would run whatever code its repository holds on the day it starts",
                ("models", name, "trust_remote_code"),
                help="pin `revision` to a full commit (40 hex digits) that you have read",
                place=Place.VALUE,
            )
