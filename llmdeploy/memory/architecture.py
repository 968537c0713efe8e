"""config.json → what the model is made of. An architecture that no row of `families` names is not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from llmdeploy.memory import attention, feedforward, rope
from llmdeploy.memory.attention import Heads
from llmdeploy.memory.config import Config
from llmdeploy.memory.contradictions import LAYERS, contradictions
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.exclusions import MOST_LAYERS
from llmdeploy.memory.families import FAMILIES, Family
from llmdeploy.memory.needs import needed
from llmdeploy.memory.shape import Cache, Kind, Layer, Part, Shape
from llmdeploy.memory.vision import tower

_PATTERN = {"M": "mamba", "*": "full", "-": "mlp", "E": "experts"}
_KINDS = {"full", "sliding", "chunked", "linear", "mamba", "deepseek_sparse", "indexed"}


def shape(stated: Mapping[str, Any]) -> Shape:
    """Read a config.json. `UnmodelledError` says what stands in the way."""
    for found in contradictions(stated):
        raise UnmodelledError("contradiction", found.text)
    config = Config(stated)
    family = _family(config)
    needed(config, family)
    hidden, vocab = config.number("hidden_size", "n_embd", "d_model"), config.number("vocab_size")
    at, moe = attention.heads(config), feedforward.moe_of(config)
    layers = _layers(config, family)
    if not layers:
        raise UnmodelledError("config", "config.json states no layers")
    context = rope.context(config)
    tied = config.flag("tie_word_embeddings", default=family.tied)
    head = None if tied or family.headless else Part("lm_head", vocab, hidden, "vocab", linear=True)
    positions: tuple[Part, ...] = ()
    if family.positions is not None and context is not None:
        positions = (Part("embed_positions", context + family.positions, hidden),)
    latent = _latent(config, family)
    seen = config.whole.get("vision_config") or config.get("vision_config")
    parts, seeing = tower(seen, hidden, family.name) if isinstance(seen, Mapping) else ((), 0)
    return Shape(
        family=family.name,
        dtype=config.dtype,
        layers=layers,
        embedding=Part("embed_tokens", vocab, hidden, "vocab"),
        head=head,
        ends=positions,
        last=(Part("norm", hidden),),
        rope=rope.elements(config, at.key) if family.rotary else 0,
        hidden=hidden,
        intermediate=_widest(config, hidden),
        vocab=vocab,
        heads=at.query,
        kv_heads=1 if latent else at.kv,
        max_context=context,
        unscaled_context=rope.unscaled(config),
        moe=moe,
        vision=parts,
        vision_heads=seeing,
        drafter=_drafter(config, family, layers, hidden),
        latent_heads=latent,
        ssm_dtype=_ssm(config, family),
    )


def _latent(config: Config, family: Family) -> tuple[int, int, int] | None:
    """Return the rank of the latent vectors, and the sizes of the two parts of a head that are made of them."""
    if config.get("kv_lora_rank") is not None:
        return config.number("kv_lora_rank"), config.number("qk_nope_head_dim"), config.number("v_head_dim")
    if family.latent:
        text = (
            f"config.json does not state `kv_lora_rank`, and {family.name} keeps latent vectors of its size"
        )
        raise UnmodelledError("config", text)
    return None


def _ssm(config: Config, family: Family) -> str:
    """vLLM takes Nemotron-H's states in fp32 (models/config.py); of others config.json speaks."""
    stated = config.get("mamba_ssm_cache_dtype", "mamba_ssm_dtype")
    return str(stated) if stated is not None else "float32" if family.blocks else "auto"


_NAMELESS = (
    "config.json names no architecture, and its `model_type` tells of none; "
    "state it under `architecture`, like `architectures: [LlamaForCausalLM]`"
)


def _family(config: Config) -> Family:
    for name in config.architectures:
        if name in FAMILIES:
            return FAMILIES[name]
    named = ", ".join(f"`{name}`" for name in config.architectures)
    raise UnmodelledError("architecture", f"{named} is not modelled" if named else _NAMELESS)


def _many(config: Config, *keys: str, default: int | None = None) -> int:
    many = config.number(*keys, default=default)
    if many > MOST_LAYERS:
        raise UnmodelledError("config", f"{many} layers are more than any model has")
    return many


def _kinds(config: Config, family: Family) -> tuple[str, ...]:
    """Return what each layer is: full, sliding, chunked, linear, mamba, or a block of its own."""
    if family.blocks:
        pattern = config.get("hybrid_override_pattern")
        if not isinstance(pattern, str):
            raise UnmodelledError("config", "config.json does not state `hybrid_override_pattern`")
        return tuple(_PATTERN[letter] for letter in pattern if letter in _PATTERN)
    many = _many(config, *LAYERS)
    if mixed := config.sequence("hybrid_layer_pattern"):
        return tuple("sliding" if one else "full" for one in mixed)
    window = config.window
    if types := config.sequence("layer_types", "layers_block_type"):
        names = {"attention": "full", "linear": "linear", "mamba": "mamba"}
        kinds = tuple(names.get(str(one), str(one).removesuffix("_attention")) for one in types)
        if unknown := next((kind for kind in kinds if kind not in _KINDS), None):
            raise UnmodelledError("architecture", f"layers of `{unknown}` are not modelled")
        # The lists of a few configs go on where drafting layers follow.
        return tuple(
            kind if window or kind not in ("sliding", "chunked") else "full" for kind in kinds[:many]
        )
    if (every := config.number("full_attention_interval", default=0)) and config.get(
        "linear_num_value_heads"
    ):
        return tuple("full" if (i + 1) % every == 0 else "linear" for i in range(many))
    every = config.number("sliding_window_pattern", default=family.pattern)
    if not window or not every:
        return ("full",) * many
    return tuple(family.window if every < 0 or (i + 1) % every else "full" for i in range(many))


def _layers(config: Config, family: Family) -> tuple[Layer, ...]:
    """Build each kind of layer once: most models have one or two, many times over."""
    kinds = _kinds(config, family)
    owned = len(kinds) - config.number("num_kv_shared_layers", default=0)
    built: dict[tuple[str, bool, bool], Layer] = {}
    found = []
    for index, kind in enumerate(kinds):
        key = (kind, _sparse(config, index), index < owned)
        if key not in built:
            built[key] = _layer(config, family, index, kind, index < owned)
        found.append(built[key])
    return tuple(found)


def _layer(config: Config, family: Family, index: int, kind: str, owned: bool) -> Layer:
    hidden = config.number("hidden_size", "n_embd", "d_model")
    if config.number("hidden_size_per_layer_input", default=0):
        raise UnmodelledError(
            "architecture", "embeddings of each layer (`hidden_size_per_layer_input`) are not modelled"
        )
    if family.blocks:
        return _block(config, family, kind, hidden)
    parts, cache = _attention(config, family, kind, hidden)
    norms = tuple(Part(f"norm_{i}", hidden) for i in range(family.norms))
    # Gemma's last layers read the cache of an earlier one.
    return Layer((*norms, *parts, *_ffn(config, family, index, hidden)), cache if owned else None)


def _block(config: Config, family: Family, kind: str, hidden: int) -> Layer:
    """Nemotron-H: one norm, and one thing after it."""
    norm = Part("norm", hidden)
    if kind == "mamba":
        parts, cache = attention.mamba(config, hidden)
        return Layer((norm, *parts), cache)
    if kind == "full":
        at = attention.heads(config)
        parts = tuple(
            replace(part, module=part.module.replace("self_attn", "mixer"))
            for part in attention.grouped(hidden, at)
        )
        return Layer((norm, *parts), Cache("full", at.kv, at.key, at.value))
    moe = feedforward.moe_of(config)
    if kind == "experts" and moe is not None:
        width = config.number("moe_shared_expert_intermediate_size", default=0)
        width = width or feedforward.shared(config, moe)
        latent = config.number("moe_latent_size", default=hidden)
        routed = feedforward.experts(latent, moe, gated=False, prefix="mixer")
        if latent != hidden:  # experts work on a projection of the hidden state
            routed += (Part("mixer.fc1_latent_proj", latent, hidden, linear=True),)
            routed += (Part("mixer.fc2_latent_proj", hidden, latent, linear=True),)
        shared = feedforward.mlp(hidden, width, gated=False, prefix="mixer.shared_experts") if width else ()
        return Layer((norm, *routed, *shared), None)
    return Layer(
        (norm, *feedforward.mlp(hidden, config.number("intermediate_size"), False, prefix="mixer")), None
    )


def _attention(
    config: Config, family: Family, kind: str, hidden: int
) -> tuple[tuple[Part, ...], Cache | None]:
    if kind == "linear":
        return attention.delta(config, hidden)
    if kind == "mamba":
        return attention.mamba(config, hidden)
    if config.get("kv_lora_rank") is not None:
        return attention.latent(config, hidden)
    at = _heads(config, kind)
    bias = family.bias if family.bias is not None else config.flag("attention_bias", "qkv_bias")
    # Where keys are values (Gemma 4), engines load them twice (vLLM 0.33, models/gemma4.py).
    parts = attention.grouped(hidden, at, bias, config.flag("attn_output_gate"), family.out_bias)
    if family.query_norm:
        parts = (*parts, Part("self_attn.qk_norm", at.key, 2))
    if family.name == "gpt-oss":
        parts = (*parts, Part("self_attn.sinks", at.query, 1, "out"))
    window = config.window
    cached: Kind = "sliding" if kind == "sliding" else "chunked" if kind == "chunked" else "full"
    return parts, Cache(cached, at.kv, at.key, at.value, 0 if cached == "full" else window)


def _heads(config: Config, kind: str) -> Heads:
    at = attention.heads(config)
    if kind == "full" and config.get("global_head_dim") is not None:
        size = config.number("global_head_dim")
        return Heads(at.query, config.number("num_global_key_value_heads", default=at.kv), size, size)
    if kind == "sliding" and config.get("swa_num_key_value_heads") is not None:
        key = config.number("swa_head_dim", default=at.key)
        return Heads(
            config.number("swa_num_attention_heads", default=at.query),
            config.number("swa_num_key_value_heads"),
            key,
            config.number("swa_v_head_dim", default=key),
        )
    return at


def _ffn(config: Config, family: Family, index: int, hidden: int) -> tuple[Part, ...]:
    moe = feedforward.moe_of(config)
    gated = config.flag("mlp_gated", default=family.gated)
    if moe is None or not _sparse(config, index):
        # Llama 4's own name for the width of a layer without experts, and Granite 4's.
        names = ("intermediate_size_mlp", "shared_intermediate_size", *_WIDTHS)
        # Without a gate it is four times as wide where config.json does not say (GPT-2, OPT, Falcon).
        other = None if gated else 4 * hidden
        inner = config.number(*names, default=0) or config.number("intermediate_size", default=other)
        return feedforward.mlp(hidden, inner, gated, family.mlp_bias)
    if family.name == "llama4":
        moe = replace(moe, intermediate=config.number("intermediate_size"))
    prefix = "moe" if family.name == "gemma4" else "mlp"
    parts = feedforward.experts(hidden, moe, gated, family.name == "gpt-oss", prefix)
    if family.name == "gemma4":  # beside an MLP, in every layer
        return (*feedforward.mlp(hidden, config.number("intermediate_size"), gated), *parts)
    width = moe.intermediate if family.name == "llama4" else feedforward.shared(config, moe)
    if family.name in ("qwen2-moe", "qwen3-next", "qwen3.5") and width:
        parts = (*parts, Part("mlp.shared_expert_gate", 1, hidden))
    prefix = "mlp.shared_expert" if family.name.startswith("qwen") else "mlp.shared_experts"
    return (*parts, *feedforward.mlp(hidden, width, gated, prefix=prefix)) if width else parts


def _sparse(config: Config, index: int) -> bool:
    """Tell whether a layer has experts."""
    if config.get("enable_moe_block") is False or index in config.sequence("mlp_only_layers"):
        return False
    frequency = config.get("moe_layer_freq")
    if isinstance(frequency, (list, tuple)):
        return bool(frequency[index]) if index < len(frequency) else True
    if index < config.number("first_k_dense_replace", default=0):
        return False
    every = config.number("interleave_moe_layer_step", "decoder_sparse_step", default=1) or 1
    return (index + 1) % every == 0


def _drafter(config: Config, family: Family, layers: tuple[Layer, ...], hidden: int) -> tuple[Layer, ...]:
    """Return the layers of multi-token prediction: each is one like the last, behind a projection of two inputs."""
    many = _many(config, "num_nextn_predict_layers", "mtp_num_hidden_layers", default=0)
    if not many or family.blocks:
        return ()
    last = next(
        (layer for layer in reversed(layers) if layer.cache and layer.cache.kind != "state"), layers[-1]
    )
    joined = (Part("mtp.eh_proj", hidden, 2 * hidden), *(Part(f"mtp.norm_{i}", hidden) for i in range(3)))
    return tuple(Layer((*joined, *last.parts), last.cache) for _ in range(many))


_WIDTHS = ("intermediate_size", "moe_intermediate_size", "ffn_dim", "ffn_hidden_size", "n_inner")


def _widest(config: Config, hidden: int) -> int:
    return config.number(*_WIDTHS, default=4 * hidden) or 4 * hidden
