#!/usr/bin/env python3
"""Make a tiny Llama with random weights, a tokenizer and a chat template, for tests on a real engine.

    .tools/vllm-0.32/bin/python scripts/make_tiny_model.py DIR

The same packages make the same bytes. It talks nonsense, fluently: what is tested is the way there and back.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

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


def model(vocabulary: int) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=HEADS * HEAD_SIZE,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=1,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
    )
    return LlamaForCausalLM(config).to(torch.bfloat16)


def main() -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("folder", type=Path, metavar="DIR")
    folder = cli.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    words = tokenizer()
    words.save_pretrained(folder)
    model(len(words)).save_pretrained(folder)
    # An engine's container runs as another user, and safetensors writes files for their owner alone.
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main())
