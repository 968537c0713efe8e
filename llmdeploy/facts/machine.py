"""The GPUs of this machine, as their vendor's own tool lists them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from llmdeploy import catalog
from llmdeploy.runtime.runner import CannotRun, NotInstalled, Runner

TIMEOUT_S = 20.0
"""nvidia-smi takes seconds on an eight-GPU node whose persistence mode is off."""

NVIDIA_SMI = (
    "nvidia-smi",
    "--query-gpu=name,memory.total,index,compute_cap",
    "--format=csv,noheader,nounits",
)
_DRIVER_LEAVES = 0.98
"""Of what nvidia-smi calls total: an H200 has 140.4 GiB there, and 139.7 for a process."""

ROCM_SMI = ("rocm-smi", "--showproductname", "--showmeminfo", "vram", "--json")


class Card(Struct, frozen=True):
    """One GPU. `known` is its row of the catalog; memory and capability are what the tool says, or None."""

    vendor: str
    name: str
    index: int
    memory_gib: int | None
    capability: str | None = None
    known: catalog.Gpu | None = None


class Machine(Struct, frozen=True):
    """`cards` in the order of their index; without any, `problems` says what was tried."""

    cards: tuple[Card, ...]
    problems: tuple[str, ...] = ()


def machine(runner: Runner) -> Machine:
    """Ask the vendors' tools, NVIDIA's first, until one lists a GPU. Never raises."""
    missing, problems = [], []
    for argv, read in _TOOLS:
        try:
            cards = _ask(runner, argv, read)
        except NotInstalled:
            missing.append(f"`{argv[0]}`")
        except CannotRun as problem:
            problems.append(str(problem))
        else:
            if cards:
                return Machine(tuple(sorted(cards, key=lambda card: card.index)))
            problems.append(f"`{argv[0]}` lists no GPU")
    if missing:
        problems.append(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed")
    return Machine((), tuple(problems))


def _ask(runner: Runner, argv: Sequence[str], read: Callable[[str], Iterator[Card]]) -> list[Card]:
    done = runner.run(argv, TIMEOUT_S)
    if done.status:
        # nvidia-smi reports a driver that does not answer on stdout.
        said = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.status}").splitlines()[0]
        raise CannotRun(f"`{argv[0]}` failed: {said}")
    try:
        return list(read(done.stdout))
    except ValueError:
        raise CannotRun(f"`{argv[0]}` said something that cannot be read") from None


def _nvidia(text: str) -> Iterator[Card]:
    """`NVIDIA L40S, 46068, 0, 8.9` for each card; older drivers lack the last."""
    for line in filter(None, map(str.strip, text.splitlines())):
        name, memory, index, *rest = (field.strip() for field in line.split(","))
        yield Card(
            vendor="nvidia",
            name=name,
            index=int(index),
            # Where CPU and GPU share their memory (GB10) it says [N/A].
            memory_gib=int(int(memory) / 1024 * _DRIVER_LEAVES) if memory.isdecimal() else None,
            capability=rest[0] if rest and re.fullmatch(r"\d+\.\d", rest[0]) else None,
            known=catalog.gpu_by_smi(name),
        )


def _amd(text: str) -> Iterator[Card]:
    """`{"card0": {"Card Series": "AMD Instinct MI300X", "VRAM Total Memory (B)": "206141652992"}}`."""
    # Before the JSON it may warn of cards in a low-power state; without a card it prints nothing.
    stated = json.loads(text[text.index("{") :]) if "{" in text else {}
    for key, fields in stated.items() if isinstance(stated, dict) else ():
        card = re.fullmatch(r"card(\d+)", key)
        if card and isinstance(fields, dict):
            yield _amd_card(int(card[1]), {name.lower(): value for name, value in fields.items()})


def _amd_card(index: int, fields: dict[str, Any]) -> Card:
    name = str(fields.get("card series") or fields.get("card model") or "AMD GPU")
    # "AMD Instinct MI300X OAM": the word in it that the catalog knows.
    known = next((gpu for word in name.split() if (gpu := catalog.gpu(word)) and gpu.vendor == "amd"), None)
    memory = str(fields.get("vram total memory (b)", ""))
    return Card("amd", name, index, int(memory) >> 30 if memory.isdecimal() else None, known=known)


_TOOLS = ((NVIDIA_SMI, _nvidia), (ROCM_SMI, _amd))
