"""What all targets spell alike: the token, the port that is asked for health, and sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from support.readback.model import GIB

# The Hub token reaches the download as a variable or as a file; `Fetch.token` says which secret it is.
TOKEN_VARIABLES = ("HF_TOKEN", "HF_TOKEN_PATH")


def without_token(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name not in TOKEN_VARIABLES}


def port_of(command: str) -> int:
    found = re.search(r"http://[^/:]+:(\d+)/", command)
    assert found, command
    return int(found[1])


def size_of(size: str | int) -> int:
    """What docker, Compose and Kubernetes write for a whole number of GiB."""
    found = re.fullmatch(r"(\d+)(|g|Gi)", str(size))
    assert found, size
    return int(found[1]) * (GIB if found[2] else 1)
