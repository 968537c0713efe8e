"""What `engine_args` and `env` make of TGI's warm-up: variables all. Which of them it knows is data: options.yaml."""

from __future__ import annotations

from msgspec import Struct

from llmdeploy.memory.options import Said

# server/text_generation_server/models/globals.py: BLOCK_SIZE
_BLOCKS = {"flashdecoding": 256, "flashinfer": 1, "flashdecoding-ipex": 64, "paged": 16}


class Own(Struct, frozen=True):
    """What no field of a question says. None: TGI's own."""

    attention: str | None = None
    chunking: str | None = None
    room: float | None = None
    """The share of its share that TGI takes (TGI_WIGGLE_ROOM)."""

    @property
    def block(self) -> int:
        return _BLOCKS.get(self.attention or "flashinfer", 1)


PLAIN = Own()


def applied(said: Said) -> Own:
    """Return what the variables say."""
    return Own(
        attention=_text(said, "ATTENTION"),
        chunking=_text(said, "PREFILL_CHUNKING"),
        room=_share(_text(said, "TGI_WIGGLE_ROOM")),
    )


def _text(said: Said, name: str) -> str | None:
    value = said.value(name)
    return None if value is None else str(value)


def _share(text: str | None) -> float | None:
    """Read a number between 0 and 1: with another one TGI does not start."""
    try:
        share = float(text or "")
    except ValueError:
        return None
    return share if 0 < share < 1 else None
