"""Short fingerprints, by which a deployment notices that something it runs has changed."""

from __future__ import annotations

import hashlib


def short(text: str) -> str:
    """Return twelve hexadecimal digits of the text's sha256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
