"""Does the engine reuse the KV cache of a prompt that it has seen? By its own counters."""

from __future__ import annotations

import re
import time

from llmdeploy.plan.model import PrefixCache
from llmdeploy.runtime.smoke.model import Door
from llmdeploy.runtime.smoke.requests import CHAT, Fault, expect, question

_SENTENCE = "The plant on the window sill is small and green. "
# Characters. Only whole blocks are kept: of 16 tokens on most GPUs, 128 on CPUs, over 1000 where a model keeps states.
_SIZES = (600, 6_000, 24_000)
_SETTLED_S = 2.0
_PERIOD_S = 0.1


def prefix(door: Door, *, cache: PrefixCache) -> str:
    """Ask the same twice, at greater length until a part of it was found again."""
    hits, looked_up = _counts(door, cache)
    for size in _SIZES:
        text = _SENTENCE * (size // len(_SENTENCE))
        asked = [door.client.post(CHAT, question(door, text, max_tokens=1)) for _ in range(2)]
        if any(answer.status == 400 for answer in asked):
            break  # longer than the context
        for answer in asked:
            expect(200, answer)
        if found := _rise(door, cache, hits):
            return f"{found} tokens of a prompt asked twice were in the cache"
    if _counts(door, cache)[1] == looked_up:
        return "the engine keeps no prefixes of this model"
    raise Fault(f"a prompt was asked twice, and nothing of it was found in the cache ({cache.hits})")


def _rise(door: Door, cache: PrefixCache, before: int) -> int:
    """Return by how much the hits rose; the counters follow the answer by a moment."""
    end = time.monotonic() + _SETTLED_S
    while not (rise := _counts(door, cache)[0] - before) and time.monotonic() < end:
        time.sleep(_PERIOD_S)
    return rise


def _counts(door: Door, cache: PrefixCache) -> tuple[int, int]:
    """Return the tokens found, and those looked up, by all of its engines together."""
    text = expect(200, door.client.get(cache.path)).body.decode("utf-8", "replace")
    found = []
    for name in (cache.hits, cache.queries):
        values = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\d\S*)", text, re.MULTILINE)
        if not values:
            raise Fault(f"GET {cache.path} has no `{name}`")
        found.append(int(sum(map(float, values))))
    return found[0], found[1]
