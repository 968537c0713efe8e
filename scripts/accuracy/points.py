"""Recorded start-ups, one JSON object a line: what such a line may say, and which lines say it.

A file of somebody else's is expected to have lines that are no points. Each is told with its number, and none of them
costs the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from llmdeploy.memory.corrections import LARGEST_GIB

Tell = Callable[[str], None]

Text = Annotated[str, Meta(min_length=1)]
Ranks = Annotated[int, Meta(ge=1, le=4096)]
Count = Annotated[int, Meta(ge=1, le=1 << 40)]
Fraction = Annotated[float, Meta(gt=0, le=1)]
Memory = Annotated[float, Meta(gt=0, le=LARGEST_GIB)]
Taken = Annotated[float, Meta(ge=0, le=LARGEST_GIB)]
Left = Annotated[float, Meta(ge=-LARGEST_GIB, le=LARGEST_GIB)]
"""What is a difference of two readings, or of a share and what was taken of it, may be below nothing."""


class Point(Struct, frozen=True):
    """What was asked of an engine, and what it printed. Sizes are GiB of one rank; whatever is None is not known.

    Further keys (quote, notes …) are for the reader.
    """

    id: int | Text
    model: Text
    engine: Text
    hfmodel: str | None = None
    version: str | None = None
    gpu: str | None = None
    src: str | None = None
    usable: bool | None = None
    usable_kv: bool | None = None
    kv_inconsistent: bool | None = None
    # What was asked of it.
    gpus: Ranks | None = None
    tp: Ranks | None = None
    pp: Ranks | None = None
    dp: Ranks | None = None
    dcp: Ranks | None = None
    ep: bool | None = None
    util: Fraction | None = None
    mem_fraction: Fraction | None = None
    max_model_len: Count | None = None
    max_num_seqs: Count | None = None
    mnbt: Count | None = None
    block_size: Count | None = None
    dtype: str | None = None
    quant: str | None = None
    kv_dtype: str | None = None
    eager: bool | None = None
    lora: str | None = None
    spec: str | None = None
    moe_backend: str | None = None
    mamba_ssm: str | None = None
    # What the machine had.
    gpu_total_gib: Memory | None = None
    init_free_gib: Taken | None = None
    # What was seen.
    fit: bool | None = None
    weights_gib: Taken | None = None
    act_gib: Left | None = None
    nontorch_gib: Left | None = None
    graph_gib: Left | None = None
    kv_gib: Left | None = None
    kv_tokens: Annotated[int, Meta(ge=0, le=1 << 50)] | None = None
    max_conc: Annotated[float, Meta(ge=0, le=1 << 50)] | None = None

    @property
    def share(self) -> float | None:
        """The engine's own fraction of memory."""
        return self.mem_fraction if self.engine == "sglang" else self.util


def points(path: Path, tell: Tell) -> Iterator[tuple[int, Point]]:
    """Yield every point with the number of its line; of two with one id the first.

    Raises OSError where the file cannot be read.
    """
    lines: dict[int | str, int] = {}
    # Only a line's own end divides it: text would also be cut at what Unicode calls a separator, within a quote.
    for number, line in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            point = _point(line)
        except msgspec.MsgspecError as error:
            tell(f"line {number}: {_reason(error)}")
            continue
        if (first := lines.setdefault(point.id, number)) != number:
            tell(f"line {number}: id {point.id} is that of line {first}, which counts")
            continue
        yield number, point


def _point(line: bytes) -> Point:
    stated: Any = msgspec.json.decode(line)
    if isinstance(stated, dict):
        stated = stated.get("point", stated)  # scripts/gpu keeps a point beside what else it measured
    if isinstance(stated, dict):
        stated = {key: _whole(value) for key, value in stated.items()}
    return msgspec.convert(stated, Point)


def _whole(value: Any) -> Any:
    """Return 2 for 2.0: a table of numbers, some of which are missing, is written with all of them as floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _reason(error: msgspec.MsgspecError) -> str:
    """Return msgspec's words, the key in front: ``Expected `int`, got `str` - at `$.tp` ``."""
    message, _, place = str(error).partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    return f"{key}: {message}" if key else message
