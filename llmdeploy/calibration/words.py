"""What usually explains a term that is off: (the engine took more, it took less)."""

from __future__ import annotations

HINTS: dict[str, tuple[str, str]] = {
    "weights": (
        "layers that the checkpoint leaves unquantized, padding of the experts' kernels, LoRA slots or a drafter",
        "tied embeddings, or parts of the checkpoint that are not loaded (a vision tower, layers for MTP)",
    ),
    "activation": (
        "more sequences or tokens of a step than planned, a vision encoder, or a sampler that sorts the vocabulary",
        "fewer sequences or tokens of a step than planned; `concurrency` and `batch_tokens` state them",
    ),
    "nontorch": (
        "workspaces of NCCL and of the all-reduce, or another process on the same GPU",
        "a release or a link between the GPUs that needs smaller workspaces",
    ),
    "cuda_graphs": (
        "more or larger graphs: their sizes follow `concurrency`; a drafter has its own",
        "fewer graphs: a smaller `concurrency`, or enforce-eager",
    ),
    "kv": (
        "a larger memory fraction, or a GPU with more memory than the catalog says",
        "a smaller memory fraction, another process on the same GPU, or memory that the GPU's driver keeps",
    ),
    "kv follows": (
        "it is what the other terms leave: see those that are off",
        "it is what the other terms leave: see those that are off",
    ),
    "KV tokens": (
        "fewer bytes a token: the KV cache's type, layers that share it or hold a window only",
        "more bytes a token: the KV cache's type, heads that are repeated, or, before vLLM 0.22, a hybrid's line "
        "that counts less than there is",
    ),
    "requests at full length": (
        "a shorter context than planned, or layers that hold a window only",
        "a longer context than planned, or state that each request has besides its tokens",
    ),
    "tokens follow": ("it goes with the KV pool", "it goes with the KV pool"),
    "start": ("slow storage, a cold compile cache, or many graphs; `ready_timeout` is the limit", ""),
}
