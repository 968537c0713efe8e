"""Ledgers of real deployments, for what shows them. Figures: memory-model §11 and the logs that it names."""

from __future__ import annotations

from msgspec.structs import replace

from llmdeploy.memory.model import Ledger, Line, Rank, Verdict
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.model import Gpus, Plan, Service
from support import plans

H100 = 79.19


def rank(index: int, *sizes: float, stage: int = 0, rules: tuple[str, ...] = ()) -> Rank:
    terms = ("weights", "activation", "nontorch", "cuda_graphs", "kv")
    said = rules or tuple(f"how much {term} there is" for term in terms)
    lines = tuple(Line(term, size, rule) for term, size, rule in zip(terms, sizes, said, strict=True))
    return Rank(stage, index, *sizes, lines=lines)


MOE = Ledger(
    Verdict.FITS,
    margin_gib=8.15,
    usable_gib=72.85,
    ranks=(
        rank(
            0,
            *(56.88, 2.67, 0.25, 1.15, 11.90),
            rules=(
                "18,867 tensors of the checkpoint's headers, bf16; the vocabulary is padded to 151,936",
                "sampler 3.67 × 1024 sequences × 151936 × 4 B = 2.13; experts' workspace 8192 × 8 × 2 × 4096 = 0.50; forward 0.05",
                "measured on one GPU: NCCL, cuBLAS and Triton beside PyTorch's own pool",
                "0.35 + 0.018 × 48 layers, 102 graphs",
                "0.92 × 79.19 less all above; 48 layers × 2 × 4 heads × 128 × 2 B = 98,304 B a token",
            ),
        ),
    ),
    kv_tokens=129_968,
    requests_at_context=3.17,
    max_sequences=1024,
    bytes_per_token=98_304,
    context=40_960,
    concurrency=1024,
    batch_tokens=8192,
    fraction=0.92,
    kv_bytes_per_request=4_026_531_840,
)
TP4 = Ledger(
    Verdict.FITS,
    margin_gib=31.03,
    usable_gib=72.85,
    ranks=tuple(rank(index, 32.89, 0.63, 2.06, 1.79, 35.48) for index in range(4)),
    kv_tokens=465_040,
    requests_at_context=14.19,
    max_sequences=64,
    bytes_per_token=81_920,
    context=32_768,
    concurrency=64,
    batch_tokens=8192,
)
PP2 = Ledger(
    Verdict.FITS,
    margin_gib=1.62,
    usable_gib=40.85,
    ranks=(rank(0, 32.31, 1.10, 0.07, 0.90, 6.47), rank(1, 33.24, 2.01, 0.07, 0.90, 4.63, stage=1)),
    kv_tokens=30_336,
    requests_at_context=3.70,
    max_sequences=256,
    bytes_per_token=163_840,
    context=8192,
    notes=("the stages are unlike: the last has the sampler and one layer less",),
)
TIGHT = Ledger(
    Verdict.TIGHT,
    margin_gib=0.41,
    usable_gib=40.85,
    ranks=(rank(0, 27.51, 1.52, 0.24, 1.07, 10.51),),
    kv_tokens=55_104,
    requests_at_context=1.04,
    max_sequences=256,
    bytes_per_token=204_800,
    context=52_992,
)
NO = Ledger(
    Verdict.NO,
    margin_gib=-69.92,
    usable_gib=72.85,
    ranks=(rank(0, 131.56, 1.96, 0.24, 1.79, 0.0),),
    kv_tokens=0,
    requests_at_context=0.0,
    max_sequences=0,
    bytes_per_token=327_680,
    context=32_768,
)
UNKNOWN = Ledger(
    Verdict.UNKNOWN,
    reason="compressed-kv: DeepSeek-V4 keeps a compressed cache that no rule of this engine describes",
)
HALF = Ledger(
    Verdict.FITS,
    margin_gib=16.7,
    usable_gib=35.64,
    ranks=(rank(0, 14.19, 1.9, 0.24, 0.86, 18.45),),
    kv_tokens=345_472,
    requests_at_context=10.54,
    max_sequences=256,
    bytes_per_token=57_344,
    context=32_768,
)
CPU = Ledger(
    Verdict.FITS,
    margin_gib=3.4,
    usable_gib=12.0,
    ranks=(rank(0, 0.93, 0.31, 0.0, 0.0, 4.0),),
    kv_tokens=349_504,
    requests_at_context=85.3,
    max_sequences=16,
    bytes_per_token=12_288,
    context=4096,
    notes=("weights are estimated, within 25 %: no header was read",),
)


TGI_7B = Ledger(
    Verdict.FITS,
    margin_gib=54.36,
    usable_gib=71.26,
    ranks=(rank(0, 13.5, 0.0, 0.62, 0.78, 56.36),),
    kv_tokens=461_701,
    requests_at_context=28.18,
    max_sequences=128,
    bytes_per_token=131_072,
    context=16_384,
)
SGLANG_7B = Ledger(
    Verdict.FITS,
    margin_gib=51.46,
    usable_gib=79.18,
    ranks=(rank(0, 14.19, 2.1, 0.51, 1.64, 53.21),),
    kv_tokens=996_350,
    requests_at_context=30.41,
    max_sequences=2048,
    bytes_per_token=57_344,
    context=32_768,
)
HYBRID = {"batch": TP4, "structured": TGI_7B, "chat": SGLANG_7B}
"""The models of examples/02-hybrid."""


def pool(name: str, count: int = 8, gib: float | None = H100, nodes: int = 1, **changes: object) -> Hardware:
    devices = tuple(str(index) for index in range(count))
    values = ("nvidia", "NVIDIA H100 SXM 80GB", gib, "9.0", None, "nvidia.com/gpu", (), count, nodes, devices)
    return replace(Hardware(name, *values, False), **changes)


def service(
    name: str, ledger: Ledger | None, *devices: str, pool: str = "pool", **changes: object
) -> Service:
    gpus = Gpus(pool, "nvidia", len(devices), "nvidia.com/gpu", (devices,), memory_gib=H100)
    return replace(plans.service(name, gpus=gpus), memory=ledger, **changes)


# Everything at once: four alike, one full, one that does not fit, one unknown, one idle; stages, neighbours; a CPU node.
GALLERY: Plan = plans.plan(
    service("batch", TP4, "0", "1", "2", "3", pool="h100"),
    service("moe", MOE, "4", pool="h100"),
    service("large", NO, "5", pool="h100"),
    service("novel", UNKNOWN, "6", pool="h100"),
    service("staged", PP2, "8", "9", pool="l40s"),
    service("close", TIGHT, "10", pool="l40s"),
    service("left", HALF, "12", pool="shared"),
    service("right", HALF, "12", pool="shared"),
    replace(plans.service("tiny", gpus=Gpus("cpu", "cpu", 0), memory_gib=12.0), memory=CPU),
)
GALLERY_POOLS = {
    "h100": pool("h100"),
    "l40s": pool("l40s", 4, 44.4, title="NVIDIA L40S", devices=("8", "9", "10", "11")),
    "shared": pool("shared", 1, title="NVIDIA H100 SXM 80GB", devices=("12",)),
    "cpu": pool("cpu", 1, 16.0, vendor="cpu", title="CPU", devices=(), resource=None),
}
