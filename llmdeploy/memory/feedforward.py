"""What follows attention in a layer: an MLP, or experts and the router before them."""

from __future__ import annotations

from llmdeploy.memory.config import Config
from llmdeploy.memory.shape import Moe, Part


def mlp(
    hidden: int, inner: int, gated: bool = True, bias: bool = False, prefix: str = "mlp"
) -> tuple[Part, ...]:
    parts = [
        Part(f"{prefix}.up_proj", inner, hidden, "out", linear=True),
        Part(f"{prefix}.down_proj", hidden, inner, "in", linear=True),
    ]
    if gated:
        parts.append(Part(f"{prefix}.gate_proj", inner, hidden, "out", linear=True))
    if bias:
        parts += [Part(f"{prefix}.up_proj.bias", inner, 1, "out"), Part(f"{prefix}.down_proj.bias", hidden)]
    return tuple(parts)


def experts(
    hidden: int, moe: Moe, gated: bool = True, bias: bool = False, prefix: str = "mlp"
) -> tuple[Part, ...]:
    """The routed experts, and their router, which every rank has whole."""
    inner, many = moe.intermediate, moe.experts
    up = inner * (2 if gated else 1)
    parts = [
        Part(f"{prefix}.gate", many, hidden),
        Part(f"{prefix}.experts.0.gate_up_proj", up, hidden, "out", many, linear=True, expert=True),
        Part(f"{prefix}.experts.0.down_proj", hidden, inner, "in", many, linear=True, expert=True),
    ]
    if bias:
        parts += [
            Part(f"{prefix}.gate.bias", many),
            Part(f"{prefix}.experts.0.gate_up_proj.bias", up, 1, "out", many, expert=True),
            Part(f"{prefix}.experts.0.down_proj.bias", hidden, 1, "none", many, expert=True),
        ]
    return tuple(parts)


def moe_of(config: Config) -> Moe | None:
    """Read the routed experts; Mixtral and its kin state their size as `intermediate_size`."""
    many = config.number("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", default=0)
    if not many:
        return None
    visited = config.number(
        "num_experts_per_tok", "experts_per_token", "top_k_experts", "moe_topk", default=1
    )
    return Moe(many, visited, config.number("moe_intermediate_size", "intermediate_size"))


def shared(config: Config, moe: Moe) -> int:
    """Return the width of the experts that every token visits; 0 where there are none."""
    stated = config.number(
        "shared_expert_intermediate_size", "moe_shared_expert_intermediate_size", default=0
    )
    return stated or config.number("n_shared_experts", "num_shared_experts", default=0) * moe.intermediate
