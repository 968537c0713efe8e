"""Which comments speak of an entry. They go where it goes: left behind, they would speak of its neighbour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from llmdeploy.diagnostics import Path
from llmdeploy.rewrite.edits import Edit, Put, Remove
from llmdeploy.rewrite.places import Places
from llmdeploy.source import Comment


def above(places: Places, path: Path) -> list[Comment]:
    """Return the comment lines directly above an entry that begins its line, at its indentation."""
    first, _ = places.lines(path)
    if not _begins_its_line(places, path):
        return []
    column, found = places.column(path), []
    while (comment := places.comment_line(first - 1)) is not None and comment.column == column:
        found.append(comment)
        first -= 1
    return found[::-1]


def within(places: Places, path: Path) -> list[Comment]:
    """Return those on the lines of an entry that begins its line, without what a blank line sets off."""
    first, last = places.lines(path)
    if not _begins_its_line(places, path) or _shares_its_end(places, path):
        return []
    inside = [each for each in places.source.comments if first <= each.line <= last]
    return [each for each in inside if not _is_set_off(places, each)]


def spoken(places: Places, path: Path) -> list[Comment]:
    """Return all that speak of an entry."""
    return [*above(places, path), *within(places, path)]


def gone(places: Places, edits: Sequence[Edit]) -> list[Comment]:
    """Return those whose entry goes for good."""
    left = Counter(each for edit in edits if isinstance(edit, Remove) for each in spoken(places, edit.path))
    left.subtract(each for edit in edits if isinstance(edit, Put) for each in moved(places, edit))
    return sorted(comment for comment, times in left.items() if times > 0)


def moved(places: Places, edit: Put) -> list[Comment]:
    """Return those that come along with a value that moves to another entry."""
    if not has_lines_for_comments(places, edit):
        return []
    return [comment for path in edit.instead_of for comment in spoken(places, path)]


def has_lines_for_comments(places: Places, edit: Put) -> bool:
    """Tell whether an entry is new, and its mapping, or the braces around it, begin on lines of their own."""
    if edit.path in places.source.spans:
        return False
    parent = edit.path[:-1]
    return not places.is_flow(parent) or (
        not places.is_flow(parent[:-1]) and _begins_its_line(places, parent)
    )


def as_lines(comments: Iterable[Comment], indent: str, newline: str) -> str:
    return "".join(indent + comment.text.rstrip() + newline for comment in comments)


def _is_set_off(places: Places, comment: Comment) -> bool:
    line = comment.line
    if places.comment_line(line) is None:
        return False
    while places.comment_line(line) is not None:
        line += 1
    return not places.source.lines[line - 1].strip()


def _begins_its_line(places: Places, path: Path) -> bool:
    first, _ = places.lines(path)
    return not places.source.lines[first - 1][: places.column(path) - 1].strip()


def _shares_its_end(places: Places, path: Path) -> bool:
    """Tell whether another entry of the same braces begins on the line on which this one ends."""
    beside = ((*path[:-1], key) for key in places.keys(path[:-1]))
    last = places.lines(path)[1]
    return any(other != path and places.lines(other)[0] == last for other in beside)
