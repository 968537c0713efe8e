"""What a rewrite makes of llm.yaml and of the artifacts: computed, then shown, then perhaps written."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from llmdeploy.compiler import Result
from llmdeploy.diagnostics.redact import redact_comment, redact_line
from llmdeploy.rewrite.edit import comments_gone, edited
from llmdeploy.rewrite.report import Rewrite
from llmdeploy.rewrite.waived import without_idle
from llmdeploy.source import Comment, Source

Compile = Callable[[str], Result]


class Outcome(Struct, frozen=True):
    """The file before and after, each compiled."""

    rewrites: tuple[Rewrite, ...]
    before: Result
    after: Result
    lost: tuple[Comment, ...] = ()
    """Comments that go with the entries that they speak of."""

    @property
    def changed(self) -> bool:
        return self.before.source.text != self.after.source.text


def outcome(before: Result, rewrites: Sequence[Rewrite], compile: Compile) -> Outcome:
    """Make the edits and compile what they give. Raises CannotEdit."""
    edits = [edit for rewrite in rewrites for edit in rewrite.edits]
    after = compile(edited(before.source, edits))
    text = without_idle(before, after, rewrites)
    lost = tuple(comments_gone(before.source, edits))
    return Outcome(tuple(rewrites), before, after if text == after.source.text else compile(text), lost)


def spec_diff(outcome: Outcome) -> str:
    """Return how llm.yaml changes, as a unified diff without credentials."""
    name = outcome.before.source.file
    return "".join(
        difflib.unified_diff(_shown(outcome.before.source), _shown(outcome.after.source), name, name)
    )


def lost_comments(outcome: Outcome) -> list[tuple[int, str]]:
    """Return the comments that go with their entries, each with its line, without credentials."""
    source = outcome.before.source
    return [(comment.line, redact_comment(source, comment)) for comment in outcome.lost]


def artifact_diff(outcome: Outcome) -> str:
    """Return how the artifacts change; empty where either file has errors."""
    return "".join("".join(lines) for lines in artifact_diffs(outcome).values())


def artifact_diffs(outcome: Outcome) -> dict[str, list[str]]:
    """Return the unified diff of each artifact that changes; none where either file has errors."""
    before = {artifact.path: artifact.text for artifact in outcome.before.artifacts}
    after = {artifact.path: artifact.text for artifact in outcome.after.artifacts}
    return dict(_differences(before, after)) if before and after else {}


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        names = (
            f"a/{path}" if old is not None else "/dev/null",
            f"b/{path}" if new is not None else "/dev/null",
        )
        if lines := list(difflib.unified_diff(_lines(old or ""), _lines(new or ""), *names, n=1)):
            yield path, lines


def _shown(source: Source) -> list[str]:
    return [redact_line(source, number) + "\n" for number in range(1, len(source.lines) + 1)]


def _lines(text: str) -> list[str]:
    return [line + "\n" for line in text.splitlines()]
