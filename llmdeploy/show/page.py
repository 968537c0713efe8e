"""The plan as one HTML file that asks for nothing: no script, no font, no request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmdeploy import __version__
from llmdeploy.emit import shell
from llmdeploy.emit.template import render
from llmdeploy.memory.model import Ledger, Rank
from llmdeploy.memory.sizes import figure
from llmdeploy.plan.model import Plan
from llmdeploy.show import words
from llmdeploy.show.cards import Bar, Pool

Urls = Sequence[tuple[str, Sequence[tuple[str, str]]]]
"""(target, [(URL, model)])."""


def page(
    document: Mapping[str, Any], plan: Plan, pools: Sequence[Pool], urls: Urls, *, why: bool = True
) -> str:
    """Return the HTML of what `plan --format json` says, with the cards of `pools` and the `urls` of each target."""
    return render(
        "plan.html.j2",
        version=__version__,
        plan=document,
        models=[
            {
                **service,
                "command": command(service["argv"]),
                "environment": _environment(service["env"]),
                "ready": words.ready(planned),
                **_memory(planned.memory, planned.gpus.vendor),
            }
            for service, planned in zip(document["services"], plan.services, strict=True)
        ],
        cpu=any(pool.vendor == "cpu" for pool in pools),
        judged=any(service.memory for service in plan.services),
        why=why,
        pools=[
            {
                "name": pool.name,
                "title": pool.title,
                "bars": [_bar(bar, pool.vendor) for bar in pool.bars],
            }
            for pool in pools
        ],
        legend=words.legend(pools),
        urls=urls,
    )


def command(argv: Sequence[str]) -> str:
    """Return the command line for a shell, each flag on a line of its own with what belongs to it."""
    lines: list[str] = []
    for word in argv:
        if not lines or word.startswith("-"):
            lines.append(shell.quote(word))
        else:
            lines[-1] += " " + shell.quote(word)
    return " \\\n  ".join(lines)


def _environment(env: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, f"secret {value['secret']}" if isinstance(value, Mapping) else value)
        for name, value in env.items()
    ]


def _memory(ledger: Ledger | None, vendor: str) -> dict[str, Any]:
    if ledger is None:
        return {"verdict": None, "ranks": []}
    return {
        "verdict": ledger.verdict.value,
        "because": words.verdict(ledger),
        "figures": words.figures(ledger),
        "notes": ledger.notes,
        "ranks": list(_ranks(ledger, vendor)),
    }


def _ranks(ledger: Ledger, vendor: str) -> Iterator[dict[str, Any]]:
    """Ranks that say the same are one table."""
    alike: dict[object, list[Rank]] = {}
    for rank in ledger.ranks:
        alike.setdefault((rank.stage, rank.lines), []).append(rank)
    staged = len({rank.stage for rank in ledger.ranks}) > 1
    for ranks in alike.values():
        numbers = [rank.rank for rank in ranks]
        several = f"Ranks {numbers[0]}–{numbers[-1]}, each" if len(numbers) > 1 else f"Rank {numbers[0]}"
        yield {
            "name": f"Stage {ranks[0].stage + 1}, {several.lower()}" if staged else several,
            "lines": [
                (line.term, words.term(line.term, vendor), figure(line.gib), line.rule)
                for line in ranks[0].lines
            ],
            "sum": figure(sum(line.gib for line in ranks[0].lines)),
        }


def _bar(bar: Bar, vendor: str) -> dict[str, Any]:
    scale = bar.scale or 1.0
    shares = [(segment, segment.gib / scale * 100) for segment in bar.segments]
    return {
        "place": words.place(bar),
        "who": words.who(bar),
        "idle": not bar.tenants,
        "total": figure(bar.total if bar.total is not None else bar.scale),
        "edge": f"{(bar.total or 0) / scale * 100:.3f}" if bar.overfull else None,
        "segments": [
            {
                "term": segment.term,
                "share": f"{share:.3f}",
                "width": _room(share),
                "label": "not known" if segment.term == "unknown" else figure(segment.gib),
            }
            for segment, share in shares
        ],
        "held": [
            (owner, [(term, words.term(term, vendor), size) for term, size in sizes])
            for owner, sizes in words.held(bar)
        ],
    }


def _room(share: float) -> str:
    """Whether a figure finds room in a segment: on every screen, on wide ones only, or nowhere."""
    return "roomy" if share >= 20 else "fair" if share >= 8 else "narrow"
