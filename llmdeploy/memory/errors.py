"""What stops a ledger: an architecture, a scheme or a fact that no equation here knows."""

from __future__ import annotations


class UnmodelledError(Exception):
    """`rule` is the id that a reason begins with; the text is for people."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule
