"""A host that has every secret, and what docker and Compose mount of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from llmdeploy.plan.model import Plan
from support.readback.model import marker


def host(plan: Plan, home: Path | str = "/nowhere") -> dict[str, str]:
    """The environment of a host where every secret is set."""
    return {"HOME": str(home), **{secret.env: marker(secret) for secret in plan.secrets if secret.env}}


def texts(mounts: Mapping[str, str]) -> dict[str, str]:
    return {
        inside: Path(path).read_bytes().decode() for inside, path in mounts.items() if Path(path).is_file()
    }


def amd(files: Sequence[str]) -> tuple[str, ...]:
    nodes = [re.match(r"/dev/dri/renderD(\d+)", path) for path in files]
    ids = tuple(str(int(node[1]) - 128) for node in nodes if node)
    assert not ids or any(path.startswith("/dev/kfd") for path in files)
    return ids
