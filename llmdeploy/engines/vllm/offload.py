"""Weights that vLLM keeps in the host's memory, and reads from there in each step.

Source: vLLM 0.33, model_executor/offloader/uva.py: the parameters of the decoder's layers, one after the other, until
--cpu-offload-gb is reached. Embedding and output layer stay on the GPU.
"""

from __future__ import annotations

from msgspec.structs import replace

from llmdeploy.engines.vllm.options import Own
from llmdeploy.memory.model import Line, Question
from llmdeploy.memory.stage import CPU, Read, Stage
from llmdeploy.memory.weights import GIB, Bulk, Cut, Loading


def offloaded(
    stages: tuple[Stage, ...], question: Question, known: Read, loading: Loading, own: Own
) -> tuple[Stage, ...]:
    """Return the stages without what is kept elsewhere. On a CPU everything is where it is."""
    if not own.offloaded_gib or question.card.vendor == CPU:
        return stages
    cut = Cut(loading, question.split.tensor)
    return tuple(_less(stage, known, cut, own.offloaded_gib) for stage in stages)


def _less(stage: Stage, known: Read, cut: Cut, asked: float) -> Stage:
    bulk = Bulk(cut)
    for index in stage.layers:
        bulk.layer(known.shape.layers[index].parts, index)
    size = min(asked, (bulk.dense + bulk.experts) / GIB)
    rule = f"{size:.2f} GiB of the layers are kept in the host's memory, as `cpu-offload-gb` says"
    return replace(stage, weights=(*stage.weights, Line("weights", -size, rule)))
