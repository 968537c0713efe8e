"""vLLM: its table says it all."""

from __future__ import annotations

from llmdeploy.engines.lowering import TableEngine

ENGINE = TableEngine.of(__name__)
