"""Tokens and prose. A token is a word with the blank before it, or one other character: enough to count."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

END = "</s>"
_TOKEN = re.compile(r"\s?\w+|.", re.DOTALL)
_WORDS = ("the", "leaf", "of", "this", "plant", "turns", "slowly", "to", "the", "light", "and", "dries")
# As many as an answer has for which nobody said how long it may be.
_ANSWER = 24


def pieces(text: str) -> list[str]:
    """Return the tokens of a text; together they are the text."""
    return _TOKEN.findall(text)


def number(piece: str) -> int:
    return 2 if piece == END else 3 + zlib.crc32(piece.encode()) % 31997


@dataclass(frozen=True, slots=True)
class Generation:
    """What the model said. With `eos_token` the last piece is the special one, which counts as a token."""

    pieces: tuple[str, ...]
    reason: str

    @property
    def text(self) -> str:
        return "".join(piece for piece in self.pieces if piece != END)

    def tokens(self) -> list[dict[str, Any]]:
        return [
            {"id": number(piece), "text": piece, "logprob": -0.5, "special": piece == END}
            for piece in self.pieces
        ]


def generation(constrained: str | None, limit: int, *, asked: bool, stop: Sequence[str]) -> Generation:
    """Say `constrained`, or else prose: up to `limit` tokens where somebody `asked` for a number."""
    if constrained is not None:
        said: list[str] = [*pieces(constrained), END]
    else:
        count = limit if asked else min(limit, _ANSWER)
        said = [f" {_WORDS[index % len(_WORDS)]}" for index in range(count)]
        said += [] if asked else [END]
    said = said[:limit]
    if (cut := _stopped(said, stop)) is not None:
        return Generation(tuple(said[:cut]), "stop_sequence")
    return Generation(tuple(said), "eos_token" if said[-1:] == [END] else "length")


def _stopped(said: Iterable[str], stop: Sequence[str]) -> int | None:
    text = ""
    for count, piece in enumerate(said, 1):
        text += piece
        if any(each in text for each in stop if each):
            return count
    return None


def simple_tokens(text: str) -> list[dict[str, Any]]:
    """Return what /tokenize answers; offsets are those of characters."""
    found, at = [], 0
    for piece in pieces(text):
        found.append({"id": number(piece), "text": piece, "start": at, "stop": at + len(piece)})
        at += len(piece)
    return found
