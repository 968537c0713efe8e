"""What is known of GPUs, models, quantization and OpenLLM's Bentos: facts with a source, read from JSON on first use.

The JSON is compiled: see scripts/catalogs. Nothing here imports the rest of llmdeploy.
"""

from __future__ import annotations

from llmdeploy.catalog.hardware import Gpu, Vendor, gpu, gpu_by_smi, gpu_names, gpus
from llmdeploy.catalog.hub import ModelFacts, gated, model, models
from llmdeploy.catalog.openllm import Bento, BentoArg, Bentos, bento, bentos
from llmdeploy.catalog.quantization import Method, formats, methods

__all__ = [
    "Bento",
    "BentoArg",
    "Bentos",
    "Gpu",
    "Method",
    "ModelFacts",
    "Vendor",
    "bento",
    "bentos",
    "formats",
    "gated",
    "gpu",
    "gpu_by_smi",
    "gpu_names",
    "gpus",
    "methods",
    "model",
    "models",
]
