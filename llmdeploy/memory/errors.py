"""What stops a ledger before it is complete."""

from __future__ import annotations

from llmdeploy.memory.model import Ledger, Verdict


class UnmodelledError(Exception):
    """An architecture, a scheme or a fact that no equation here knows.

    `rule` is the id that the reason begins with; the text is for people. The ids: architecture, config, quantization, dtype,
    drafter (what a model is), card (what it runs on), split (how it is spread), option (what `engine_args` or `env` say),
    and an engine's own: bento, engine.
    """

    verdict = Verdict.UNKNOWN

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.verdict, reason=str(self))


class RefusedError(UnmodelledError):
    """What every engine refuses to start with, whatever memory there is."""

    verdict = Verdict.NO
