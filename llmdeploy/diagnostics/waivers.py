"""Waivers: `# llmdeploy: allow LD501` behind a line silences that warning there, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from llmdeploy.diagnostics.codes import CODES, Severity
from llmdeploy.diagnostics.model import Diagnostic, has_errors
from llmdeploy.diagnostics.place import locate
from llmdeploy.diagnostics.suggest import closest, question
from llmdeploy.source import Comment, Source

_DIRECTIVE = r"#\s*llmdeploy:\s*(?P<verb>\S*)\s*(?P<rest>.*)"
_CODE = r"[A-Za-z]{2}[0-9]+"
_ON_REQUEST = frozenset({"LD342", "LD529"})
"""Given only where more is asked for than the file: a waiver of these is not idle without it."""


class _Waiver(Struct, frozen=True):
    comment: Comment
    codes: tuple[str, ...]
    used: set[str] = set()

    def takes(self, diagnostic: Diagnostic, line: int) -> bool:
        if line != self.comment.line or diagnostic.code not in self.codes:
            return False
        self.used.add(diagnostic.code)
        return True


def apply(diagnostics: Iterable[Diagnostic], source: Source, complete: bool = True) -> list[Diagnostic]:
    """Return the diagnostics without the waived ones, and with LD511 for each waiver that is of no use.

    With `complete` false some checks have not run, and a waiver may be for one of them.
    """
    found = list(diagnostics)
    waivers, problems = _read(source)
    kept = [
        d
        for d in found
        if d.severity is not Severity.WARNING or not any(w.takes(d, locate(d, source).line) for w in waivers)
    ]
    if complete and not has_errors(found):
        problems += [
            _unused(w.comment, code)
            for w in waivers
            for code in w.codes
            if code not in w.used and code not in _ON_REQUEST
        ]
    return kept + problems


def names(comment: str, code: str) -> bool:
    """Tell whether a comment is a waiver of this code."""
    match = re.match(_DIRECTIVE, comment)
    return match is not None and match["verb"] == "allow" and code in _codes(match["rest"])


def less(waiver: str, code: str) -> str:
    """Return the text of a waiver without one of its codes; empty where that was the only one."""
    match = re.match(_DIRECTIVE, waiver)
    if match is None or list(_codes(match["rest"])) == [code]:
        return ""
    return re.sub(rf"\b{code}\b[,\s]*", "", waiver, count=1)


def _read(source: Source) -> tuple[list[_Waiver], list[Diagnostic]]:
    waivers, problems = [], []
    for comment in source.comments:
        match = re.match(_DIRECTIVE, comment.text)
        if match is None:
            continue
        codes = tuple(_codes(match["rest"])) if match["verb"] == "allow" else ()
        problems += [p for p in ([_cannot(comment, code) for code in codes] or [_malformed(comment)]) if p]
        waivers.append(_Waiver(comment, tuple(c for c in codes if _is_warning(c))))
    return waivers, problems


def _codes(rest: str) -> Iterator[str]:
    """Yield the codes at the beginning; what follows them is the reader's reason."""
    for word in re.split(r"[,\s]+", rest):
        if not re.fullmatch(_CODE, word):
            return
        yield word


def _is_warning(code: str) -> bool:
    return code in CODES and CODES[code].severity is Severity.WARNING


def _cannot(comment: Comment, code: str) -> Diagnostic | None:
    if _is_warning(code):
        return None
    if code in CODES:
        return _ld511(
            comment, f"`{code}` is no warning, and only warnings can be waived", "remove the waiver"
        )
    meant = closest(code, CODES)
    return _ld511(comment, f"there is no diagnostic `{code}`", question(meant) if meant else None)


def _malformed(comment: Comment) -> Diagnostic:
    return _ld511(comment, "this waiver names nothing", "write it like `# llmdeploy: allow LD501`")


def _unused(comment: Comment, code: str) -> Diagnostic:
    return _ld511(
        comment,
        f"nothing on this line gives `{code}`",
        "remove the waiver, or put it behind the line of the warning",
    )


def _ld511(comment: Comment, message: str, help: str | None) -> Diagnostic:
    return Diagnostic("LD511", message, help=help, line=comment.line, column=comment.column)
