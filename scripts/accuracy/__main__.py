"""Hold the ledger of memory against what engines printed when they started.

python scripts/accuracy [--points FILE] [--format table|json]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from score import judged, summary
from table import table

HERE = Path(__file__).resolve().parent


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="accuracy")
    parser.add_argument("--points", type=Path, default=HERE / "memory_points.jsonl")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    asked = parser.parse_args(argv)
    lines = [
        json.loads(line) for line in asked.points.read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    # scripts/gpu keeps a point beside what else it measured.
    rows = [judged(line.get("point", line)) for line in lines]
    found = {"summary": summary(rows), "rows": rows}
    print(json.dumps(found, indent=1) if asked.format == "json" else table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
