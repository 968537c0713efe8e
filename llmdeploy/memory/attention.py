"""The ways in which a layer attends: what each weighs, and what it caches."""

from __future__ import annotations

from msgspec import Struct

from llmdeploy.memory.config import Config
from llmdeploy.memory.shape import Cache, Part


class Heads(Struct, frozen=True):
    """Grouped-query attention: query heads, KV heads, and the elements of a key and of a value."""

    query: int
    kv: int
    key: int
    value: int


def heads(config: Config) -> Heads:
    query = config.number("num_attention_heads", "n_head", "num_heads")
    one = config.flag("multi_query") and not config.flag("new_decoder_architecture")  # Falcon 7B
    kv = (
        config.number("num_key_value_heads", "num_kv_heads", "n_head_kv", default=1 if one else query)
        or query
    )
    hidden = config.number("hidden_size", "n_embd", "d_model")
    size = config.number("head_dim", "attention_head_dim", default=0) or max(hidden // query, 1)
    return Heads(
        query,
        kv,
        size,
        config.number("v_head_dim", default=size) if "kv_lora_rank" not in config.text else size,
    )


def grouped(
    hidden: int,
    at: Heads,
    bias: bool = False,
    gate: bool = False,
    out_bias: bool = False,
) -> tuple[Part, ...]:
    """Return queries, keys, values and output. `gate` doubles the queries (Qwen3-Next's attn_output_gate)."""
    query = at.query * at.key * (2 if gate else 1)
    parts = [
        Part("self_attn.q_proj", query, hidden, "out", linear=True),
        Part("self_attn.k_proj", at.kv * at.key, hidden, "heads", linear=True, heads=at.kv),
        Part("self_attn.v_proj", at.kv * at.value, hidden, "heads", linear=True, heads=at.kv),
        Part("self_attn.o_proj", hidden, at.query * at.value, "in", linear=True),
    ]
    if bias:
        parts.append(Part("self_attn.q_proj.bias", query, 1, "out"))
        parts.append(Part("self_attn.kv_proj.bias", at.kv * (at.key + at.value), 1, "heads", heads=at.kv))
    if out_bias:
        parts.append(Part("self_attn.o_proj.bias", hidden))
    return tuple(parts)


def latent(config: Config, hidden: int) -> tuple[tuple[Part, ...], Cache]:
    """DeepSeek's multi-head latent attention: one compressed vector in the cache, whole on every rank."""
    query = config.number("num_attention_heads")
    lora, rope = config.number("kv_lora_rank"), config.number("qk_rope_head_dim")
    nope, value = config.number("qk_nope_head_dim"), config.number("v_head_dim")
    compressed = config.number("q_lora_rank", default=0)
    parts = [
        Part("self_attn.kv_a_proj_with_mqa", lora + rope, hidden, linear=True),
        Part("self_attn.kv_a_layernorm", lora),
        Part("self_attn.kv_b_proj", query * (nope + value), lora, "out", linear=True),
        Part("self_attn.o_proj", hidden, query * value, "in", linear=True),
    ]
    if compressed:
        parts += [
            Part("self_attn.q_a_proj", compressed, hidden, linear=True),
            Part("self_attn.q_a_layernorm", compressed),
            Part("self_attn.q_b_proj", query * (nope + rope), compressed, "out", linear=True),
        ]
    else:
        parts.append(Part("self_attn.q_proj", query * (nope + rope), hidden, "out", linear=True))
    index = config.number("index_head_dim", default=0)
    if index:
        many = config.number("index_n_heads")
        parts += [
            Part("self_attn.indexer.wq_b", many * index, compressed, linear=True),
            Part("self_attn.indexer.wk", index, hidden, linear=True),
            Part("self_attn.indexer.weights_proj", many, hidden),
            Part("self_attn.indexer.k_norm", 2 * index),
        ]
    # The indexer's keys are fp8, with a scale in fp32 for each 128 (models/deepseek_v2.py, DeepseekV32IndexerCache).
    cached = Cache("latent", key=lora + rope, index=index + index // 128 * 4)
    return tuple(parts), cached


def delta(config: Config, hidden: int) -> tuple[tuple[Part, ...], Cache]:
    """Gated delta net (Qwen3-Next, Qwen3.5): a convolution's tail and a matrix of each head, per sequence."""
    keys, values = config.number("linear_num_key_heads"), config.number("linear_num_value_heads")
    key, value = config.number("linear_key_head_dim"), config.number("linear_value_head_dim")
    kernel = config.number("linear_conv_kernel_dim")
    mixed, out = 2 * keys * key + values * value, values * value
    parts = (
        Part("linear_attn.in_proj_qkv", mixed, hidden, "out", linear=True),
        Part("linear_attn.in_proj_z", out, hidden, "out", linear=True),
        Part("linear_attn.in_proj_ba", 2 * values, hidden, "out", linear=True),
        Part("linear_attn.conv1d", mixed, kernel, "out"),
        Part("linear_attn.dt_bias", 2 * values, 1, "out", width=4),
        Part("linear_attn.norm", value),
        Part("linear_attn.out_proj", hidden, out, "in", linear=True),
    )
    return parts, Cache("state", channels=mixed, kernel=kernel, recurrent=values * value * key)


def mamba(config: Config, hidden: int) -> tuple[tuple[Part, ...], Cache]:
    """Mamba 2 (Nemotron-H, Granite 4)."""
    many = config.number("mamba_num_heads", "mamba_n_heads")
    size = config.number("mamba_head_dim", "mamba_d_head")
    state = config.number("ssm_state_size", "mamba_d_state")
    groups = config.number("n_groups", "mamba_n_groups")
    kernel = config.number("conv_kernel", "mamba_d_conv", default=4)
    inner = many * size
    parts = (
        Part("mixer.in_proj", 2 * inner + 2 * groups * state + many, hidden, "out", linear=True),
        Part("mixer.conv1d", inner + 2 * groups * state, kernel + 1, "out"),
        Part("mixer.A_log", 3 * many, 1, "out", width=4),
        Part("mixer.norm", inner, 1, "out"),
        Part("mixer.out_proj", hidden, inner, "in", linear=True),
    )
    cache = Cache(
        "state",
        channels=inner,
        kernel=kernel,
        recurrent=inner * state,
        groups=groups,
        group_channels=2 * state,
    )
    return parts, cache
