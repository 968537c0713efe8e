"""Hold the ledger of memory against what engines printed when they started.

python scripts/accuracy [--points FILE] [--format table|json]

A line that is no point is left out and told on stderr. Exit status: 0, or 2 where no line of the file is a point.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from points import points
from score import judged, summary
from table import table

HERE = Path(__file__).resolve().parent
OURS = HERE / "memory_points.jsonl"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="accuracy")
    parser.add_argument("--points", type=Path, default=OURS)
    parser.add_argument("--format", choices=("table", "json"), default="table")
    asked = parser.parse_args(argv)
    path = asked.points.expanduser()

    def tell(what: str) -> None:
        print(f"accuracy: {path}: {what}", file=sys.stderr)

    try:
        rows = list(_rows(path, tell))
    except OSError as error:
        tell(f"cannot be read: {error.strerror}")
        return 2
    if not rows:
        tell("no line of it is a point")
        return 2
    found = {"summary": summary(rows), "rows": rows}
    print(json.dumps(found, indent=1) if asked.format == "json" else table(found))
    return 0


def _rows(path: Path, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    # Only our own points are known by their numbers.
    explained = _explained() if path.resolve() == OURS else {}
    for number, point in points(path, tell):
        try:
            yield judged(point, explained.get(point.id))
        except Exception as error:  # a bug of ours, which costs this point and not the table
            tell(f"line {number}: llmdeploy fails on it: {error!r}")


def _explained() -> dict[int | str, str]:
    rows = yaml.safe_load((HERE / "explained.yaml").read_text(encoding="utf-8"))["explained"]
    return {row["id"]: row["reason"] for row in rows}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
