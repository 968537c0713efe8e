"""What vLLM measures before it sizes the cache: the peak of one full batch, and the graphs that it will capture.

Source: vLLM 0.33, v1/worker/gpu_model_runner.py (profile_run, profile_cudagraph_memory); the factors are fits to logs, in
memory.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmdeploy.engines.vllm.options import Graphs
from llmdeploy.engines.vllm.tower import seen
from llmdeploy.memory.model import Line, Question
from llmdeploy.memory.stage import Read, Stage
from llmdeploy.memory.weights import GIB

if TYPE_CHECKING:
    from llmdeploy.engines.vllm.memory import Taken


def activation(
    question: Question, known: Read, taken: Taken, stage: Stage, sampling: bool
) -> tuple[Line, ...]:
    """Return the peak of a batch of max_num_batched_tokens: the layers, or the sampler behind them, whichever is more."""
    made, width, tokens = known.shape, known.width, taken.batch_tokens
    lines = [*_workspace(question, known, taken)]
    wide = made.intermediate if made.moe is None else max(made.intermediate, made.moe.intermediate)
    forward = (
        tokens * width * (3 * wide / question.split.tensor + taken.value("forward_hidden") * made.hidden)
    )
    if "gathered" in taken.traits:
        forward += tokens * question.split.data * made.hidden * width
    rows = min(taken.concurrency, tokens)
    picked = 0.0
    if sampling:
        vocab = -(-made.vocab // 64) * 64
        picked = taken.value("sampler") * rows * vocab * 4
        picked += 0 if taken.v0 else 1.5 * tokens * made.hidden * width
    if picked > forward:
        rule = f"the sampler: {rows} sequences (max_num_seqs) × {made.vocab} logits [F]"
    else:
        rule = f"a layer: {tokens} tokens (max_num_batched_tokens) × {wide} and {made.hidden} [F]"
    lines.append(Line("activation", max(picked, forward) / GIB, rule))
    if made.vision and stage.first and question.sees and taken.own.profiled_items:
        lines.append(seen(question, known, taken, sum(line.gib for line in lines)))
    return tuple(lines)


def _workspace(question: Question, known: Read, taken: Taken) -> Iterator[Line]:
    """Yield what experts work in. Those that are spread over copies of the model get the tokens of all of these.

    Source: vLLM 0.33, fused_moe/experts/triton_moe.py (workspace_shapes); distributed/device_communicators/all2all.py,
    AgRsAll2AllManager.dispatch, which fused_moe/all2all_utils.py takes without expert parallelism, too.
    """
    made, split = known.shape, question.split
    if made.moe is None or "triton" in taken.traits:
        return
    copies = split.data if "gathered" in taken.traits else 1
    inner = made.moe.intermediate / (1 if split.expert else split.tensor * copies)
    each = max(2 * inner, made.hidden) + max(inner, made.hidden)
    size = taken.batch_tokens * copies * made.moe.per_token * known.width * each
    visited = f"{taken.batch_tokens} tokens × {made.moe.per_token} experts"
    if copies > 1:
        visited = f"{taken.batch_tokens} tokens of each of {copies} copies × {made.moe.per_token} experts"
    yield Line("activation", size / GIB, f"the experts' workspace: {visited}, kept while sampling")


def graphs(question: Question, taken: Taken, stage: Stage) -> Line:
    """Return what CUDA graphs take, for as many batch sizes as are captured."""
    if question.eager:
        return Line("cuda_graphs", 0.0, "no graphs: eager")
    own, usual = taken.own.graphs, int(taken.value("graphs_largest"))
    sizes = _captured(own, min(2 * taken.concurrency, usual), taken.batch_tokens)
    full = taken.value("graphs_base") + taken.value("graphs_layer") * len(stage.layers)
    size = max(taken.value("graphs_least"), full * sizes / _sizes(usual) * own.kinds / 2)
    when = "taken off the cache" if taken.charged else "captured on top of the share"
    kind = "" if own.kinds == 2 else " and one kind, taken to be half of both [A]"
    return Line("cuda_graphs", size, f"graphs of {sizes} batch sizes{kind}, {when} [F]")


def _captured(own: Graphs, usual: int, tokens: int) -> int:
    """Count the sizes that are captured: none has more than the tokens of a step."""
    if own.sizes is not None:
        return len({size for size in own.sizes if size <= tokens})
    most = min(tokens, usual if own.largest is None else own.largest)
    fine = min(most, 32)
    return _sizes(most) + (fine - _sizes(fine) if own.fine else 0)


def _sizes(most: int) -> int:
    """Count [1, 2, 4], every 8th below 256 and every 16th from there on."""
    return (
        sum(1 for n in (1, 2, 4) if n <= most)
        + len(range(8, min(256, most + 1), 8))
        + len(range(256, most + 1, 16))
    )
