"""SGLang: a table, and a way to hand it its API key."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

from llmdeploy.engines.base import Lowered, Settings
from llmdeploy.engines.lowering import TableEngine, lower

WITH_KEY = (files(__name__) / "with_key.py").read_text(encoding="utf-8")
KEY_FILE = "/tmp/llmdeploy-engine.yaml"


class Sglang(TableEngine):
    def lower(self, settings: Settings) -> Lowered:
        lowered = lower(settings, self.table)
        launch = lowered.launch
        if settings.api_key is None:
            return lowered
        launch = replace(
            launch,
            entrypoint=("python3", "-c", WITH_KEY, KEY_FILE, *launch.entrypoint),
            args=(*launch.args, "--config", KEY_FILE),
        )
        return replace(lowered, launch=launch)


ENGINE = Sglang.of(__name__)
