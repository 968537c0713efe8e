"""Write llmdeploy/catalog/flags/*.json from the parsers of the engines' own releases (releases.yaml).

    python scripts/catalogs/flags                       # every engine; TGI's stays without a checkout
    python scripts/catalogs/flags --only vllm sglang
    python scripts/catalogs/flags --tgi CHECKOUT        # git clone https://github.com/huggingface/text-generation-inference
    python scripts/catalogs/flags --check               # exit status 1 where a file would change

Engines are those of `make oracles`; other releases come from the package index. What cannot be had here and
now stays as it is stored, and is said.
"""

from __future__ import annotations

import argparse
import json
import sys

from engines import ENGINES, rebuilt
from merge import text
from packages import ROOT

CATALOG = ROOT / "llmdeploy" / "catalog" / "flags"


def main(argv: list[str]) -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--only", nargs="+", choices=ENGINES, default=list(ENGINES), metavar="ENGINE")
    cli.add_argument("--tgi", metavar="CHECKOUT")
    cli.add_argument("--check", action="store_true")
    asked = cli.parse_args(argv)
    stale = []
    for engine in asked.only:
        path = CATALOG / f"{engine}.json"
        old = path.read_text() if path.exists() else ""
        new = text(rebuilt(engine, json.loads(old) if old else None, asked.tgi))
        print(f"{engine}: {'unchanged' if new == old else 'changed'}", file=sys.stderr)
        if new != old:
            stale.append(engine)
            if not asked.check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(new)
    return 1 if stale and asked.check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
