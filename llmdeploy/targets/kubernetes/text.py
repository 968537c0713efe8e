"""How Kubernetes spells things: quantities, label values, text that it would otherwise expand, digests."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any


def gib(size: float) -> str:
    """Return a quantity as the API server would print it, so that a diff of live objects is quiet."""
    mib = math.ceil(size * 1024)
    return f"{mib // 1024}Gi" if mib % 1024 == 0 else f"{mib}Mi"


def cores(count: float) -> str:
    milli = math.ceil(round(count * 1000, 6))
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def literal(text: str) -> str:
    """Return `text` so that it survives the expansion of `$(VAR)` in command, args and env.

    There `$(X)` is a reference and `$$` one dollar; any other `$` means nothing, and stays as it is.
    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """
    return text.replace("$", "$$") if re.search(r"\$[$(]", text) else text


def label_value(text: str) -> str:
    """Return the nearest legal label value: at most 63 of `[A-Za-z0-9._-]`, alphanumeric at both ends."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:63].strip("._-")


def file_key(name: str) -> str:
    """Return the key of a ConfigMap for a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)


def digest(value: Any) -> str:
    """Return 8 hex digits of `value`, the same that `toJson | sha256sum | trunc 8` gives in the chart."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Go's encoder escapes these five, Python's does not.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return hashlib.sha256(text.encode()).hexdigest()[:8]
