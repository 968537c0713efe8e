"""The tables of what `engine_args` and `env` change of an engine's memory, as they are written."""

from __future__ import annotations

import yaml

from llmdeploy.memory.options import Option, Options, options
from support.tools import ROOT

FILES = {path.parent.name: path for path in sorted((ROOT / "llmdeploy" / "engines").glob("*/options.yaml"))}
ENGINES = sorted(FILES)


def table(engine: str) -> Options:
    return options(yaml.safe_load(FILES[engine].read_text()))


def rows(engine: str) -> list[Option]:
    return [row for each in table(engine).rows.values() for row in each]
