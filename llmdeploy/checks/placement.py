"""Do the models find room on the GPUs of their pools?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmdeploy import catalog
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Place
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.packing import Need, divide
from llmdeploy.plan.placement import demand, needs, sharing

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
        if sharing(context.spec, pool_name):
            yield from _shares(context, pool)
        else:
            yield from _whole_pool(pool, needs(context.spec, pool_name))
        if one_host and not pool.is_cpu:
            yield from _named_devices(context, pool, taken)
    yield from _cpu_pools(context)
    yield from _memories(context)
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


_ALIKE = 0.05
"""By how much a stated memory may differ from the catalog's: nvidia-smi counts what the driver keeps, 2 or 3 %."""


def _memories(context: Context) -> Iterator[Diagnostic]:
    """A card of a known type has its own memory; a slice of one, which its resource or devices name, has less."""
    for name, pool in context.pools.items():
        stated = context.spec.gpus[name].memory
        gpu = catalog.gpu(pool.gpu) if pool.gpu else None
        if stated is None or gpu is None or gpu.memory_gib is None or pool.is_cpu:
            continue
        whole = context.spec.gpus[name].resource in (None, gpu.resource)
        slices = any(str(device).startswith("MIG-") for device in context.spec.gpus[name].devices or ())
        if whole and not slices and abs(stated - gpu.memory_gib) > _ALIKE * gpu.memory_gib:
            yield Diagnostic(
                "LD533",
                f"`{name}` states {stated:g} GiB for each GPU, and {gpu.name} has {gpu.memory_gib:g} GiB",
                ("gpus", name, "memory"),
                help="leave `memory` out, or name the `type` that it is of; of a MIG slice, state its `resource` as well",
            )


def _one_node(context: Context, pool: Hardware, models: list[str]) -> Iterator[Diagnostic]:
    for name in models:
        count = context.spec.models[name].gpus.count
        if count > pool.count:
            if pool.is_cpu:
                yield Diagnostic(
                    "LD303",
                    f"`{name}` asks for {count} GPUs of `{pool.name}`, where a replica is one machine",
                    ("models", name, "gpus", "count"),
                    help="set `count: 1`, or `replicas` for more machines",
                    notes=(Note("the pool", ("gpus", pool.name, "count")),),
                )
                continue
            yield Diagnostic(
                "LD303",
                f"`{name}` needs {count} GPUs for one replica, one node of `{pool.name}` has {pool.count}",
                ("models", name, "gpus", "count"),
                help=f"set `count` to {pool.count} or less; a replica across nodes is not supported yet",
                notes=(Note("the pool", ("gpus", pool.name, "count")),),
            )


def _one_slice(context: Context, pool: Hardware, models: list[str]) -> Iterator[Diagnostic]:
    """CUDA gives a process one MIG slice, and NCCL refuses two of one GPU."""
    for name in models:
        count = context.spec.models[name].gpus.count
        if pool.sliced and 1 < count <= pool.count:
            yield Diagnostic(
                "LD303",
                f"`{name}` asks for {count} slices of `{pool.name}`, and no model spreads over MIG slices",
                ("models", name, "gpus", "count"),
                help="set `count: 1` and take a larger slice, or `replicas` for more of them",
                notes=(Note("the pool", ("gpus", pool.name, "count")),),
            )


def _whole_pool(pool: Hardware, taken: dict[str, Need]) -> Iterator[Diagnostic]:
    # A replica that no node can hold has been reported; without it the sum may well be right.
    if pool.is_cpu or any(need.count > pool.count for need in taken.values()):
        return
    running, total = 0, sum(need.cards for need in taken.values())
    each = " + ".join(f"{need.cards} ({name})" for name, need in taken.items())
    has = f"{pool.total} {'slice' if pool.sliced else 'GPU'}{'s' * (pool.total > 1)}"
    for name, need in taken.items():
        running += need.cards
        if running > pool.total:
            yield Diagnostic(
                "LD303",
                f"pool `{pool.name}` has {has}, its models take {total}: {each}",
                ("models", name, "gpus", "count"),
                help=f"give the pool more (`count` × `nodes`), or take {total - pool.total} from the models (`gpus.count` × `replicas`)",
                # The mapping: `count` and `nodes` both say how many there are.
                notes=(Note("the pool", ("gpus", pool.name)),),
            )
            return
    yield from _nodes(pool, taken)


def _nodes(pool: Hardware, taken: dict[str, Need]) -> Iterator[Diagnostic]:
    """A replica has its cards on one node, and what is left of two may be of no use."""
    if _divide(pool, taken.values(), pool.nodes):
        return
    first = next(
        many for many in range(1, len(taken) + 1) if not _divide(pool, [*taken.values()][:many], pool.nodes)
    )
    nodes = pool.nodes + 1
    while not _divide(pool, taken.values(), nodes):
        nodes += 1
    terms = (
        f"{f'{need.replicas} × ' if need.replicas > 1 else ''}{need.count} ({name})"
        for name, need in taken.items()
    )
    yield Diagnostic(
        "LD303",
        f"the models of `{pool.name}` do not divide over its {pool.nodes} nodes of {pool.count} GPUs, each replica "
        f"on one: {' + '.join(terms)}",
        ("models", [*taken][first - 1], "gpus", "count"),
        help=f"set `nodes: {nodes}`, or take from the models (`gpus.count`, `replicas`)",
        notes=(Note("the pool", ("gpus", pool.name)),),
    )


def _divide(pool: Hardware, taken: Iterable[Need], nodes: int) -> bool:
    return divide([need.count for need in taken for _ in range(need.replicas)], pool.count, nodes)


def _shares(context: Context, pool: Hardware) -> Iterator[Diagnostic]:
    """Shares are packed on the cards of one node: no scheduler could do it, so docker and Compose have them alone."""
    names = sharing(context.spec, pool.name)
    if not pool.divisible:
        yield from (_indivisible(pool, name) for name in names)
        return
    seating = context.seating(pool)
    if seating.homeless:
        return  # which is more to say (LD357)
    for name in names:
        cards = len(seating.cards_of(name))
        if seating.shares[name] < 1 and seating.alone(name):
            of = "a card" if cards == 1 else f"each of {cards} cards"
            has = "it has the whole card" if cards == 1 else "it has them whole"
            yield Diagnostic(
                "LD535",
                f"`{name}` takes {seating.shares[name]:g} of {of} that nobody else uses",
                ("models", name, "gpus", "share"),
                help=f"leave `share` out, and {has}",
            )


def _indivisible(pool: Hardware, name: str) -> Diagnostic:
    if pool.is_cpu:
        message = f"the models of CPU pool `{pool.name}` share its memory anyway, in equal parts"
        help = "leave `share` out; `memory_fraction` says how much of its part a model takes"
    else:
        message = f"a slice of `{pool.name}` is a share of a card already"
        help = "leave `share` out: each model takes a slice of its own"
    return Diagnostic("LD358", message, ("models", name, "gpus", "share"), help)


def _named_devices(context: Context, pool: Hardware, taken: dict[str, int]) -> Iterator[Diagnostic]:
    need = sum(taken.values())
    if sharing(context.spec, pool.name) and pool.divisible:
        need = context.seating(pool).cards
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
