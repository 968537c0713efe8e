"""Do the models find room on the GPUs of their pools?"""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Place
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.placement import demand

ONE_HOST = "env"
"""`Target.secret_kind` of the targets that run on one host, where device ids are handed out by hand."""


def check(context: Context) -> Iterator[Diagnostic]:
    one_host = any(target.secret_kind == ONE_HOST for target in context.targets.values())
    for pool_name, taken in demand(context.spec).items():
        pool = context.pools.get(pool_name)
        if pool is None:
            continue
        yield from _one_node(context, pool, list(taken))
        yield from _one_slice(context, pool, list(taken))
        yield from _whole_pool(pool, taken, [context.spec.models[name].gpus.count for name in taken])
        if one_host and not pool.is_cpu:
            yield from _named_devices(pool, taken)
    yield from _cpu_pools(context)
    yield from _device_lists(context)


def _cpu_pools(context: Context) -> Iterator[Diagnostic]:
    for name, pool in context.spec.gpus.items():
        if name not in context.pools or not context.pools[name].is_cpu:
            continue
        if pool.count not in (None, 1):
            yield Diagnostic(
                "LD104",
                f"a CPU pool has no GPUs to count, `{name}` states {pool.count}",
                ("gpus", name, "count"),
                help="remove `count`; `nodes` is the number of machines",
            )
        if pool.memory is None:
            yield Diagnostic(
                "LD102",
                f"`memory` is missing from CPU pool `{name}`: the KV cache is sized from it",
                ("gpus", name, "memory"),
                help="state the memory of one machine, like `memory: 16GiB`",
            )


def _one_node(context: Context, pool: Hardware, models: list[str]) -> Iterator[Diagnostic]:
    for name in models:
        count = context.spec.models[name].gpus.count
        if count > pool.count:
            if pool.is_cpu:
                yield Diagnostic(
                    "LD303",
                    f"`{name}` asks for {count} GPUs of `{pool.name}`, where a replica is one machine",
                    ("models", name, "gpus"),
                    help="set `count: 1`, or `replicas` for more machines",
                    notes=(Note("the pool", ("gpus", pool.name)),),
                )
                continue
            yield Diagnostic(
                "LD303",
                f"`{name}` needs {count} GPUs for one replica, one node of `{pool.name}` has {pool.count}",
                ("models", name, "gpus"),
                help=f"set `count` to {pool.count} or less; a replica across nodes is not supported yet",
                notes=(Note("the pool", ("gpus", pool.name)),),
            )


def _one_slice(context: Context, pool: Hardware, models: list[str]) -> Iterator[Diagnostic]:
    """CUDA gives a process one MIG slice, and NCCL refuses two of one GPU."""
    for name in models:
        count = context.spec.models[name].gpus.count
        if pool.sliced and 1 < count <= pool.count:
            yield Diagnostic(
                "LD303",
                f"`{name}` asks for {count} slices of `{pool.name}`, and no model spreads over MIG slices",
                ("models", name, "gpus"),
                help="set `count: 1` and take a larger slice, or `replicas` for more of them",
                notes=(Note("the pool", ("gpus", pool.name)),),
            )


def _whole_pool(pool: Hardware, taken: dict[str, int], replicas: list[int]) -> Iterator[Diagnostic]:
    # A replica that no node can hold has been reported; without it the sum may well be right.
    if pool.is_cpu or sum(taken.values()) <= pool.total or any(count > pool.count for count in replicas):
        return
    running = 0
    for name, units in taken.items():
        running += units
        if running > pool.total:
            each = " + ".join(f"{units} ({name})" for name, units in taken.items())
            yield Diagnostic(
                "LD303",
                f"pool `{pool.name}` has {pool.total} GPU{'s' * (pool.total > 1)}, its models take {sum(taken.values())}: {each}",
                ("models", name, "gpus"),
                help=f"give the pool more (`count` × `nodes`), or take {sum(taken.values()) - pool.total} from the models (`gpus.count` × `replicas`)",
                notes=(Note("the pool", ("gpus", pool.name)),),
            )
            return


def _named_devices(pool: Hardware, taken: dict[str, int]) -> Iterator[Diagnostic]:
    need = sum(taken.values())
    if pool.sliced and not pool.devices:
        yield Diagnostic(
            "LD311",
            f"slices of `{pool.name}` have no index that docker could be given",
            ("gpus", pool.name),
            help="list their UUIDs in `devices` (`nvidia-smi -L` prints them), or build for kubernetes and helm only",
            place=Place.KEY,
        )
    elif pool.devices and len(pool.devices) < need <= pool.count:
        yield Diagnostic(
            "LD311",
            f"`devices` of `{pool.name}` lists {len(pool.devices)}, its models take {need}",
            ("gpus", pool.name, "devices"),
            help="list more devices, or give the models fewer GPUs",
        )


def _device_lists(context: Context) -> Iterator[Diagnostic]:
    owners: dict[str, tuple[str, int]] = {}
    # One host may hold cards of several kinds, and its indexes run over all of them.
    whole = sum(pool.count or 0 for pool in context.spec.gpus.values())
    for name, pool in context.spec.gpus.items():
        for index, device in enumerate(pool.devices or ()):
            path = ("gpus", name, "devices", index)
            if device.isdecimal() and int(device) >= whole:
                yield Diagnostic(
                    "LD311",
                    f"device {device} is outside a host of {whole} GPUs",
                    path,
                    help=f"indexes run from 0 to {whole - 1}; `count` is what the whole host has",
                )
            if device in owners:
                yield Diagnostic(
                    "LD311",
                    f"device `{device}` is listed twice",
                    path,
                    help="give each device to one pool, once",
                    notes=(Note("first here", ("gpus", owners[device][0], "devices", owners[device][1])),),
                )
            owners.setdefault(device, (name, index))
