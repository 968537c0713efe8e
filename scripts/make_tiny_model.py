#!/usr/bin/env python3
"""Make a tiny model with random weights, a tokenizer and a chat template, for tests on a real engine.

    .tools/vllm-0.32/bin/python scripts/make_tiny_model.py DIR          # a Llama with one KV head
    .tools/vllm-0.32/bin/python scripts/make_tiny_model.py DIR --shape gqa --shape mla    # each in a folder of its name

The same packages make the same bytes. It talks nonsense, fluently: what is tested is the way there and back.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    DeepseekV2Config,
    DeepseekV2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

SPECIAL = ["<s>", "</s>", "<unk>"]
# Rendered once for each message; `assistant:` is where the answer begins.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
# vLLM's attention on the CPU takes heads of 64 and more.
HEADS, HEAD_SIZE = 2, 64


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each byte and nothing merged: every text has tokens, and every token some text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *alphabet])}
    backend = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    made.chat_template = CHAT_TEMPLATE
    return made


def mqa(common: dict[str, Any]) -> PreTrainedModel:
    """One KV head for all queries."""
    return LlamaForCausalLM(LlamaConfig(**common, num_hidden_layers=2, num_key_value_heads=1))


def gqa(common: dict[str, Any]) -> PreTrainedModel:
    """Four heads over two of KV, norms of both, and the embedding as output layer."""
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": HEAD_SIZE}
    return Qwen3ForCausalLM(Qwen3Config(**{**common, **heads}, num_hidden_layers=3, tie_word_embeddings=True))


def window(common: dict[str, Any]) -> PreTrainedModel:
    """Five layers that see a window for one that sees everything, and tables of positions for both."""
    return Gemma3ForCausalLM(
        Gemma3TextConfig(
            **common,
            num_hidden_layers=6,
            num_key_value_heads=1,
            head_dim=HEAD_SIZE,
            query_pre_attn_scalar=HEAD_SIZE,
            sliding_window=128,
        )
    )


def moe(common: dict[str, Any]) -> PreTrainedModel:
    """Four experts in each layer, of which a token visits two."""
    return Qwen3MoeForCausalLM(
        Qwen3MoeConfig(
            **common,
            num_hidden_layers=2,
            num_key_value_heads=1,
            head_dim=HEAD_SIZE,
            num_experts=4,
            num_experts_per_tok=2,
            moe_intermediate_size=64,
        )
    )


def mla(common: dict[str, Any]) -> PreTrainedModel:
    """Latent attention of DeepSeek's own sizes, which kernels are made for; experts from the second layer on."""
    return DeepseekV2ForCausalLM(
        DeepseekV2Config(
            **common,
            num_hidden_layers=2,
            num_key_value_heads=HEADS,
            q_lora_rank=None,
            kv_lora_rank=512,
            qk_nope_head_dim=128,
            qk_rope_head_dim=64,
            v_head_dim=128,
            first_k_dense_replace=1,
            n_routed_experts=4,
            n_shared_experts=1,
            num_experts_per_tok=2,
            moe_intermediate_size=64,
            n_group=1,
            topk_group=1,
            norm_topk_prob=False,
        )
    )


SHAPES = {each.__name__: each for each in (mqa, gqa, window, moe, mla)}


def make(folder: Path, shape: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    words = tokenizer()
    words.save_pretrained(folder)
    torch.manual_seed(0)
    common = {
        "vocab_size": len(words),
        "hidden_size": HEADS * HEAD_SIZE,
        "intermediate_size": 128,
        "num_attention_heads": HEADS,
        "max_position_embeddings": 2048,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    SHAPES[shape](common).to(torch.bfloat16).save_pretrained(folder)
    # An engine's container runs as another user, and safetensors writes files for their owner alone.
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)


def main() -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("folder", type=Path, metavar="DIR")
    cli.add_argument("--shape", choices=SHAPES, action="append", help="make DIR/SHAPE; may be repeated")
    asked = cli.parse_args()
    for shape in asked.shape or ():
        make(asked.folder / shape, shape)
    if not asked.shape:
        make(asked.folder, "mqa")
    return 0


if __name__ == "__main__":
    sys.exit(main())
