"""Which card holds what, and how it is drawn."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace
from support import ledgers, plans

from llmdeploy.memory.model import Verdict
from llmdeploy.plan.model import Gpus
from llmdeploy.show import bars, cards, words


def drawn(columns: int = 100, encoding: str = "utf-8") -> list[str]:
    pools = cards.pools(ledgers.GALLERY, ledgers.GALLERY_POOLS)
    return [bars.encodable(line, encoding) for line in bars.draw(pools, columns, encoding)]


def plain(lines: list[str]) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))


def one(*services, pool=None) -> tuple[cards.Bar, ...]:
    plan = plans.plan(*services)
    (found,) = cards.pools(plan, {"pool": pool or ledgers.pool("pool")})
    return found.bars


def places(found: tuple[cards.Bar, ...]) -> list[tuple[str, str]]:
    return [(words.place(bar), words.who(bar)) for bar in found]


def sizes(bar: cards.Bar) -> dict[str, float]:
    return {segment.term: round(segment.gib, 2) for segment in bar.segments}


def test_cards_that_hold_the_same_are_one_bar_and_the_rest_idles():
    found = one(ledgers.service("batch", ledgers.TP4, "0", "1", "2", "3"))
    assert places(found) == [("GPU 0–3, each", "batch"), ("GPU 4–7, each", "idle")]
    assert sizes(found[0]) == {
        "weights": 32.89,
        "activation": 0.63,
        "other": 3.85,
        "kv": 35.48,
        "outside": 6.34,
    }
    assert sizes(found[1]) == {"free": ledgers.H100}


def test_stages_that_are_unlike_are_bars_of_their_own():
    found = one(ledgers.service("big", ledgers.PP2, "3", "5"), pool=ledgers.pool("pool", 6))
    assert ("GPU 3", "big, stage 1 of 2") in places(found)
    assert ("GPU 5", "big, stage 2 of 2") in places(found)
    assert ("GPU 0–2, 4, each", "idle") in places(found)


def test_replicas_fold_into_one_bar():
    gpus = Gpus("pool", "nvidia", 1, "nvidia.com/gpu", (("0",), ("2",)))
    moe = replace(plans.service("moe", gpus=gpus, replicas=2), memory=ledgers.MOE)
    assert places(one(moe, pool=ledgers.pool("pool", 3))) == [("GPU 0, 2, each", "moe"), ("GPU 1", "idle")]


def test_one_entry_of_a_ledger_stands_for_all_ranks_that_are_alike():
    ledger = replace(ledgers.TP4, ranks=ledgers.TP4.ranks[:1])
    assert places(one(ledgers.service("batch", ledger, "0", "1", "2", "3")))[0] == ("GPU 0–3, each", "batch")


def test_two_models_share_a_card():
    both = [ledgers.service(name, ledgers.HALF, "0") for name in ("left", "right")]
    (bar,) = one(*both, pool=ledgers.pool("pool", 1))
    assert words.who(bar) == "left + right"
    assert [segment.model for segment in bar.segments] == ["left"] * 4 + ["right"] * 4 + [None]
    assert sum(segment.gib for segment in bar.segments) == pytest.approx(ledgers.H100)
    assert [owner for owner, _ in words.held(bar)] == ["left", "right", ""]


def test_a_neighbour_without_figures_leaves_the_rest_of_the_card_not_known():
    both = [ledgers.service("left", ledgers.HALF, "0"), ledgers.service("novel", ledgers.UNKNOWN, "0")]
    (bar,) = one(*both, pool=ledgers.pool("pool", 1))
    assert sizes(bar)["unknown"] == pytest.approx(ledgers.H100 - 35.64)


def test_where_a_scheduler_places_no_index_is_claimed():
    gpus = Gpus("pool", "nvidia", 4, "nvidia.com/gpu")
    batch = replace(plans.service("batch", gpus=gpus), memory=ledgers.TP4)
    found = one(batch, pool=ledgers.pool("pool", 8, nodes=2))
    assert places(found) == [("4 GPUs of the pool, each", "batch"), ("12 GPUs of the pool, each", "idle")]


def test_cards_that_the_pool_has_not_are_told_from_those_that_it_has():
    gpus = Gpus("pool", "nvidia", 1, "nvidia.com/gpu")
    moe = replace(plans.service("moe", gpus=gpus, replicas=3), memory=ledgers.MOE)
    assert places(one(moe, pool=ledgers.pool("pool", 2))) == [
        ("2 GPUs of the pool, each", "moe"),
        ("1 GPU more than the pool has", "moe"),
    ]


def test_shares_without_room_are_drawn_on_the_cards_that_they_would_take():
    def shared(name, share, replicas=1):
        gpus = Gpus("pool", "nvidia", 1, "nvidia.com/gpu", share=share)
        return replace(plans.service(name, gpus=gpus, replicas=replicas), memory=ledgers.HALF)

    services = shared("a", 0.4), shared("b", 0.4), shared("c", 0.1, replicas=3)
    assert places(one(*services, pool=ledgers.pool("pool", 2))) == [
        ("1 GPU of the pool", "a + b + c"),
        ("1 GPU of the pool", "c"),
        ("1 GPU more than the pool has", "c"),
    ]


def test_the_cards_of_further_nodes_are_told_from_those_of_the_first():
    found = one(ledgers.service("moe", ledgers.MOE, "0"), pool=ledgers.pool("pool", 2, nodes=2))
    assert places(found) == [
        ("node 1, GPU 0", "moe"),
        ("node 1, GPU 1", "idle"),
        ("2 GPUs of the pool, each", "idle"),
    ]


def test_models_on_cpu_share_the_memory_of_the_node():
    found = one(
        *(
            replace(
                plans.service(name, gpus=Gpus("pool", "cpu", 0)), memory=replace(ledgers.CPU, usable_gib=6.0)
            )
            for name in ("a", "b")
        ),
        pool=ledgers.GALLERY_POOLS["cpu"],
    )
    assert places(found) == [("the node", "a + b")]
    assert sizes(found[0])["outside"] == 4.0


def test_a_model_that_is_larger_than_its_card_makes_a_longer_bar():
    (bar,) = one(ledgers.service("large", ledgers.NO, "0"), pool=ledgers.pool("pool", 1))
    assert bar.overfull and bar.scale == pytest.approx(135.55)
    assert "outside" not in sizes(bar)


def test_a_pinned_kv_cache_leaves_what_it_does_not_take_free():
    ledger = replace(ledgers.MOE, usable_gib=None)
    (bar,) = one(ledgers.service("moe", ledger, "0"), pool=ledgers.pool("pool", 1))
    assert sizes(bar)["free"] == pytest.approx(6.34)


@pytest.mark.parametrize("columns", [40, 60, 100, 300])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_line_is_wider_than_the_terminal_and_every_figure_is_there(columns, encoding):
    text = plain(drawn(columns, encoding))
    assert max(map(len, text.splitlines())) <= columns
    for figure in ("32.89", "0.63", "3.85", "35.48", "6.34", "131.56", "end of the memory"):
        assert figure in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "no-such-encoding"])
def test_a_terminal_without_blocks_gets_signs_that_differ(encoding):
    text = plain(drawn(80, encoding))
    assert text.encode("latin-1" if encoding == "latin-1" else "ascii")
    (bar,) = (
        line for line in text.splitlines() if line.startswith("  ###") and "GiB" in line and "+++=" in line
    )
    assert re.fullmatch(r"  #+%\++=+/+ +79\.19 GiB", bar)


def test_colour_is_an_addition_and_never_the_only_difference():
    signs = [sign for term, sign in bars._BLOCKS.items() if term != "edge"]
    assert len(set(signs)) == len(signs)
    assert len(set(bars._ASCII.values())) == len(bars._ASCII)


@pytest.mark.parametrize("width", [20, 46, 76])
def test_what_is_small_is_still_seen_and_nothing_is_lost(width):
    shares = bars.cells([79.0, 0.01, 0.1, 0.05], width)
    assert sum(shares) == width
    assert min(shares) == 1


def test_an_empty_bar_has_no_cells():
    assert bars.cells([0.0, 0.0], 10) == [0, 0]


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        (["0", "1", "2", "3", "6"], "0–3, 6"),
        (["7"], "7"),
        (["3", "1"], "3, 1"),
        (["GPU-a", "GPU-b", "4", "5"], "GPU-a, GPU-b, 4–5"),
    ],
)
def test_ranges_of_devices(ids, text):
    assert cards.ranges(ids) == text


@pytest.mark.parametrize(
    ("ledger", "first"),
    [
        (ledgers.TP4, "FITS: 31.03 GiB to spare beside one request of 32,768 tokens"),
        (
            ledgers.TIGHT,
            "TIGHT: 0.41 GiB to spare beside one request of 52,992 tokens, within the error of the estimate",
        ),
        (ledgers.NO, "NO: lacks 69.92 GiB for one request of 32,768 tokens"),
        (ledgers.UNKNOWN, f"UNKNOWN: {ledgers.UNKNOWN.reason}"),
        (replace(ledgers.NO, margin_gib=None, reason="split: 3"), "NO: split: 3"),
        (
            replace(ledgers.TIGHT, margin_gib=-0.2),
            "TIGHT: 0.20 GiB too little for one request of 52,992 tokens, by terms that are estimated",
        ),
    ],
    ids=["fits", "tight", "no", "unknown", "no margin", "tight below"],
)
def test_what_a_verdict_says(ledger, first):
    assert plain(bars.told(ledger)[:1]) == first


def test_tokens_requests_and_sequences_are_three_figures():
    assert bars.told(ledgers.TP4)[1] == (
        "465,040 tokens in the KV cache · 14.19 requests of 32,768 tokens at once · 64 sequences at most"
    )
    assert len(bars.told(ledgers.UNKNOWN)) == 1
    assert bars.told(ledgers.CPU)[-1] == ledgers.CPU.notes[0]


def test_every_verdict_has_its_colour():
    assert set(bars._VERDICTS) == set(Verdict)


@pytest.mark.parametrize(
    ("vendors", "name"),
    [
        (("nvidia",), "CUDA graphs, non-torch"),
        (("amd",), "HIP graphs, non-torch"),
        (("cpu",), "non-torch"),
        (("nvidia", "cpu"), "CUDA graphs, non-torch"),
        (("nvidia", "amd"), "graphs, non-torch"),
    ],
)
def test_graphs_are_called_what_they_are_called_there(vendors, name):
    assert words.term("other", *vendors) == name


def test_replicas_of_one_model_on_a_node_are_added_up():
    gpus = Gpus("pool", "cpu", 0)
    both = replace(plans.service("a", gpus=gpus, replicas=2), memory=replace(ledgers.CPU, usable_gib=6.0))
    (bar,) = one(both, pool=ledgers.GALLERY_POOLS["cpu"])
    ((owner, held), *_) = words.held(bar)
    assert owner == "a"
    weights = ledgers.CPU.ranks[0].weights_gib
    assert dict(held)["weights"] == f"{2 * weights:.2f}" and len(held) == len(dict(held))
