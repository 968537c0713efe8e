"""Replicas over nodes of several cards: held against trying everything."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest

from llmdeploy.plan.packing import divide


def tried(sizes: Sequence[int], left: tuple[int, ...]) -> bool:
    if not sizes:
        return True
    return any(
        tried(sizes[1:], (*left[:node], cards - sizes[0], *left[node + 1 :]))
        for node, cards in enumerate(left)
        if cards >= sizes[0]
    )


def test_replicas_divide_over_nodes_where_any_way_of_placing_them_does() -> None:
    draw = random.Random(3)
    found = {True: 0, False: 0}
    for _ in range(1500):
        count, nodes = draw.randint(1, 8), draw.randint(1, 3)
        sizes = [draw.randint(1, count) for _ in range(draw.randint(1, 6))]
        if sum(sizes) <= count * nodes:
            expected = tried(sizes, (count,) * nodes)
            assert divide(sizes, count, nodes) is expected, (sizes, count, nodes)
            found[expected] += 1
    assert min(found.values()) > 10


@pytest.mark.parametrize(
    ("sizes", "count", "nodes", "expected"),
    [
        ([3, 3, 2], 4, 2, False),
        ([3, 3, 1, 1], 4, 2, True),
        ([8] * 100, 8, 100, True),
        ([5] * 400 + [3] * 100 + [2] * 400, 8, 400, False),
        ([5], 4, 2, False),
        ([], 4, 2, True),
    ],
)
def test_large_clusters_are_judged_at_once(sizes: list[int], count: int, nodes: int, expected: bool) -> None:
    began = time.process_time()
    assert divide(sizes, count, nodes) is expected
    assert time.process_time() - began < 1
