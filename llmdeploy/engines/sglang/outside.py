"""What SGLang takes outside of mem_fraction_static.

Source: SGLang 0.5.23, srt/mem_cache/memory_pool.py (ReqToTokenPool); the factors are fits to logs, in memory.yaml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdeploy.memory.model import Question
from llmdeploy.memory.stage import Read, Stage
from llmdeploy.memory.weights import GIB

if TYPE_CHECKING:
    from llmdeploy.engines.sglang.memory import Taken


def forward_gib(question: Question, known: Read, taken: Taken) -> float:
    """Return what one layer's activations take."""
    made = known.shape
    wide = made.intermediate if made.moe is None else max(made.intermediate, made.moe.intermediate)
    each = 3 * wide / question.split.tensor + taken.value("forward_hidden") * made.hidden
    return taken.batch_tokens * known.width * each / GIB


def graphs_gib(taken: Taken, stage: Stage) -> float:
    if not taken.graph_batch:
        return 0.0
    return taken.value("graphs_base") + taken.value("graphs_layer") * len(stage.layers)


def table_gib(taken: Taken, running: int) -> float:
    """Return what the table takes that says where the tokens of each running request are (ReqToTokenPool)."""
    return running * taken.context * taken.value("table_entry") / GIB
