"""Models that share a card: where they sit, what each may take, and who starts first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace
from support import specs, ways

from llmdeploy.checks.context import Context
from llmdeploy.compiler import Result
from llmdeploy.facts import Facts
from llmdeploy.plan.hardware import hardware
from llmdeploy.plan.model import Service
from llmdeploy.plan.placement import layout
from llmdeploy.source import read
from llmdeploy.spec.parse import parse

SMALL, LARGE = "Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B"
L40S = 44.4
ERROR = 0.015 * L40S
"""What the equations may be wrong by on such a card."""


def spec(models: Mapping[str, Mapping[str, Any]], **pool: Any) -> dict[str, Any]:
    stated = {name: {"source": SMALL, "context": 4096, **model} for name, model in models.items()}
    return {
        "version": 1,
        "name": "shared",
        "gpus": {"gpu": {"type": "l40s", "count": 1, **pool}},
        "models": stated,
        "routes": [{"path": f"/{name}", "model": name} for name in stated],
    }


def compiled(models: Mapping[str, Mapping[str, Any]], **pool: Any) -> Result:
    return specs.compiled(spec(models, **pool), ("docker", "compose"), emit=False)


def services(models: Mapping[str, Mapping[str, Any]], **pool: Any) -> dict[str, Service]:
    result = compiled(models, **pool)
    assert result.plan is not None
    assert result.ok, [(found.code, found.message) for found in result.diagnostics]
    return {service.name: service for service in result.plan.services}


def codes(models: Mapping[str, Mapping[str, Any]], **pool: Any) -> list[tuple[str, tuple[str | int, ...]]]:
    """Errors and warnings, but for LD505, which TGI always has."""
    found = [each for each in compiled(models, **pool).diagnostics if each.severity != "note"]
    return [(each.code, each.path) for each in found if each.code != "LD505"]


def share(much: float, count: int = 1, **more: Any) -> dict[str, Any]:
    return {"gpus": {"count": count, "share": much}, **more}


def flag(service: Service, name: str) -> float:
    return float(service.launch.args[service.launch.args.index(name) + 1])


@pytest.mark.parametrize(
    ("models", "seats"),
    [
        ({"a": share(0.6), "b": share(0.4)}, {"a": ((0,),), "b": ((0,),)}),
        ({"a": share(0.6), "b": share(0.5), "c": share(0.4)}, {"a": ((0,),), "b": ((1,),), "c": ((0,),)}),
        ({"a": share(0.6), "b": {}, "c": share(0.3)}, {"a": ((0,),), "b": ((1,),), "c": ((0,),)}),
        ({"a": share(0.1, replicas=2), "b": share(0.9)}, {"a": ((0,), (1,)), "b": ((0,),)}),
        ({"a": share(0.5, 2), "b": share(0.5)}, {"a": ((0, 1),), "b": ((0,),)}),
        ({"a": share(0.5), "b": share(0.3, 2, replicas=2)}, {"a": ((0,),), "b": ((0, 1), (2, 3))}),
        ({"a": share(0.7, 4), "b": share(0.5)}, {"a": ((0, 1, 2, 3),), "b": ()}),
        ({"a": share(0.6), "b": share(0.3), "c": share(0.1)}, {"a": ((0,),), "b": ((0,),), "c": ((0,),)}),
    ],
)
def test_shares_are_packed_on_the_first_cards_with_room(models: Any, seats: Any) -> None:
    parsed, _ = parse(read(specs.yaml_of(spec(models, count=4)), "llm.yaml")[0], {})
    assert parsed is not None
    assert layout(parsed, hardware(parsed)["gpu"]).seats == seats


def test_models_of_a_card_start_one_after_another() -> None:
    plan = services({"a": share(0.4), "b": share(0.4), "c": {}, "d": share(0.2)}, count=2)
    assert {name: service.after for name, service in plan.items()} == {
        "a": (),
        "b": ("a",),
        "c": (),
        "d": ("a", "b"),
    }
    assert [plan[name].gpus.devices for name in "abcd"] == [(("0",),), (("0",),), (("1",),), (("0",),)]


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.7, 0.3), (0.2, 0.8)])
def test_vllm_asks_for_what_is_free_and_pins_what_is_left(shares: tuple[float, float]) -> None:
    """What CUDA takes before vLLM looks (0.2 GiB on this card) is in the share, and so is the error of the estimate."""
    first, second = services({"a": share(shares[0]), "b": share(shares[1])}).values()
    for service, much in ((first, shares[0]), (second, shares[1])):
        fraction = flag(service, "--gpu-memory-utilization")
        assert fraction * L40S + 0.2 + ERROR == pytest.approx(much * L40S, abs=0.001 * L40S)
        assert fraction * L40S + 0.2 + ERROR <= much * L40S
        assert service.memory is not None
        rank = service.memory.ranks[0]
        taken = (
            rank.weights_gib + rank.activation_gib + rank.nontorch_gib + rank.cuda_graphs_gib + rank.kv_gib
        )
        assert taken == pytest.approx(fraction * L40S, abs=1 / 1024)
        assert flag(service, "--kv-cache-memory-bytes") == pytest.approx(rank.kv_gib * 2**30)
        assert flag(service, "--kv-cache-memory-bytes") % 2**20 == 0
    # What the second one finds free when the first has taken all of its share.
    free = L40S - shares[0] * L40S - 0.2
    assert flag(second, "--gpu-memory-utilization") * L40S <= free


def test_a_whole_card_has_no_pinned_pool() -> None:
    (service,) = services({"a": {}}).values()
    assert "--kv-cache-memory-bytes" not in service.launch.args


def test_sglang_takes_the_same_whoever_starts_first() -> None:
    """Its fraction is of what is free when it loads: of what a neighbour leaves, and of no more tokens than that holds."""
    model = share(0.5, engine="sglang")
    before, after = services({"a": model, "b": share(0.5)})["a"], services({"b": share(0.5), "a": model})["a"]
    fractions = [flag(service, "--mem-fraction-static") for service in (before, after)]
    assert fractions[0] == pytest.approx(fractions[1], abs=0.003)
    tokens = [flag(service, "--max-total-tokens") for service in (before, after)]
    assert before.memory is not None and tokens[0] == before.memory.kv_tokens
    assert tokens[0] == pytest.approx(tokens[1], rel=0.005)
    free = L40S - 0.47 - 0.5 * L40S
    assert fractions[0] * free == pytest.approx(
        before.memory.ranks[0].weights_gib + before.memory.ranks[0].kv_gib, abs=0.002 * L40S
    )
    rank = before.memory.ranks[0]
    taken = rank.weights_gib + rank.activation_gib + rank.nontorch_gib + rank.cuda_graphs_gib + rank.kv_gib
    assert taken + ERROR <= 0.5 * L40S


def test_an_engine_of_its_own_card_has_no_bound_of_tokens() -> None:
    (service,) = services({"a": {"engine": "sglang"}}).values()
    assert "--max-total-tokens" not in service.launch.args


def test_tokens_that_engine_args_bound_are_said_once() -> None:
    stated = share(0.5, engine="sglang", engine_args={"max-total-tokens": 8192})
    service = services({"a": stated, "b": share(0.5)})["a"]
    assert service.launch.args.count("--max-total-tokens") == 1
    assert flag(service, "--max-total-tokens") == 8192


HYBRID = {"source": "Qwen/Qwen3.5-27B", "engine": "sglang"}


def test_states_are_bounded_by_no_tokens_so_that_who_has_them_starts_last() -> None:
    hybrid, other = share(0.6, **HYBRID), share(0.4)
    big = {"type": "h200-sxm-141gb"}
    (found,) = [
        each for each in compiled({"a": hybrid, "b": other}, **big).diagnostics if each.code == "LD558"
    ]
    assert found.path == ("models", "a", "gpus", "share")
    assert "`a` does not hold its weights when it starts again beside `b`" in found.message
    assert "put it behind `b`" in (found.help or "")
    assert codes({"b": other, "a": hybrid}, **big) == []


def test_two_that_have_states_cannot_both_start_last() -> None:
    big = {"type": "h200-sxm-141gb", "count": 1}
    two = {"a": share(0.5, **HYBRID), "b": share(0.5, **HYBRID)}
    (found,) = [each for each in compiled(two, **big).diagnostics if each.code == "LD558"]
    assert found.path == ("models", "a", "gpus", "share") and "take vLLM" in (found.help or "")


def test_tgi_adds_what_a_neighbour_holds_to_its_share() -> None:
    model = share(0.5, engine="tgi")
    before, after = services({"a": model, "b": share(0.4)})["a"], services({"b": share(0.4), "a": model})["a"]
    fractions = [float(service.launch.env["CUDA_MEMORY_FRACTION"]) for service in (before, after)]
    assert fractions == [pytest.approx(0.5 - 0.015, abs=0.001), pytest.approx(0.9 - 0.015, abs=0.001)]


def test_a_fraction_of_what_is_free_cannot_differ_between_replicas() -> None:
    models = {"a": share(0.5), "b": share(0.5, replicas=2, engine="sglang")}
    assert codes(models, count=2) == [("LD358", ("models", "b", "gpus", "share"))]
    assert codes({name: models[name] for name in ("b", "a")}, count=2) == []
    assert codes({**models, "b": share(0.5, replicas=2)}, count=2) == []


def test_who_takes_the_different_shares_is_named() -> None:
    models = {"a": share(0.5), "b": share(0.5, replicas=2, engine="sglang")}
    (found,) = [each for each in compiled(models, count=2).diagnostics if each.code == "LD358"]
    assert "replicas of `b` find different shares taken by `a`" in found.message


def test_two_cards_with_room_where_four_are_needed() -> None:
    (found,) = [
        each
        for each in compiled({"a": share(0.5, 2), "b": share(0.6, 4)}, count=4).diagnostics
        if each.code == "LD357"
    ]
    assert found.message == (
        "`b` takes 0.6 of each of 4 cards, and only 2 cards of `gpu` have so much left: 2 hold 0.5 (a)"
    )


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_a_stated_fraction_stays_below_the_share(engine: str) -> None:
    def stated(fraction: float) -> Any:
        return {"a": share(0.5, engine=engine, memory_fraction=fraction), "b": share(0.5)}

    assert codes(stated(0.55)) == [("LD358", ("models", "a", "memory_fraction"))]
    assert codes(stated(0.4)) == []


def test_more_than_a_card_names_all_that_share_it() -> None:
    models = {"chat": share(0.7), "embed": share(0.5)}
    (found,) = [each for each in compiled(models).diagnostics if each.severity != "note"]
    assert (found.code, found.path) == ("LD357", ("models", "embed", "gpus", "share"))
    assert "0.7 (chat) + 0.5 (embed) of one card" in found.message
    assert codes(models, count=2) == [
        ("LD535", ("models", "chat", "gpus", "share")),
        ("LD535", ("models", "embed", "gpus", "share")),
    ]


def test_a_model_without_room_for_a_whole_card_beside_shares() -> None:
    assert codes({"a": share(0.2), "b": share(0.2), "c": {}}) == [("LD357", ("models", "c", "gpus"))]


@pytest.mark.parametrize(
    ("models", "pool", "message"),
    [
        pytest.param(
            {"a": share(0.1, replicas=2)},
            {},
            "`a` takes 2 cards, one for each of its 2 replicas, which never sit on one together: `gpu` has 1",
            id="replicas of a small share on one card",
        ),
        pytest.param(
            {"a": share(0.5), "b": share(0.2, replicas=2)},
            {},
            "`b` takes 2 cards, one for each of its 2 replicas, which never sit on one together: `gpu` has 1",
            id="replicas beside another model",
        ),
        pytest.param(
            {"a": share(0.2, 2, replicas=2)},
            {"count": 3, "nodes": 2},
            "`a` takes 4 cards, 2 for each of its 2 replicas, which never sit on one together: `gpu` has 3 of one node",
            id="two cards for each replica",
        ),
        pytest.param(
            {"a": share(0.4), "b": share(0.4), "c": share(0.6), "d": share(0.6)},
            {"count": 2},
            "`d` takes 0.6 of a card, and no card of `gpu` has so much left: 1 holds 0.4 (a) + 0.4 (b), 1 holds 0.6 (c)",
            id="shares that sum to less than the cards",
        ),
        pytest.param(
            {"a": share(0.6), "b": share(0.3, 2)},
            {"count": 2, "nodes": 1},
            None,
            id="a share of two cards beside one",
        ),
        pytest.param(
            {"a": share(0.8), "b": share(0.3, 2)},
            {"count": 2},
            "`b` takes 0.3 of each of 2 cards, and only 1 card of `gpu` has so much left: 1 holds 0.8 (a)",
            id="one of the two is full",
        ),
        pytest.param(
            {"a": share(0.5), "b": share(0.501)},
            {},
            "the models of `gpu` take more than its cards have: 0.5 (a) + 0.501 (b) of one card",
            id="a thousandth too much",
        ),
        pytest.param({"a": share(0.5), "b": share(0.499)}, {}, None, id="a thousandth less"),
        pytest.param(
            {"a": share(0.2), "b": share(0.2), "c": {}},
            {},
            "the models of `gpu` take more than its cards have: 0.2 (a) + 0.2 (b) + 1 (c) of one card",
            id="a whole card beside shares",
        ),
        pytest.param(
            {"a": share(0.1, replicas=2), "c": {}, "d": share(0.1)},
            {"count": 2},
            "`c` takes a whole card, and no card of `gpu` has so much left: "
            "1 holds 0.1 (a) + 0.1 (d), 1 holds 0.1 (a)",
            id="a whole card, and none is free",
        ),
        pytest.param(
            {name: share(0.07) for name in "abcdefghijklmnopqrst"},
            {"type": "b200-sxm-180gb"},
            "the models of `gpu` take more than its cards have: "
            + " + ".join(f"0.07 ({name})" for name in "abcdefghijklmnopqrst")
            + " of one card",
            id="twenty models",
        ),
    ],
)
def test_who_finds_no_card_is_told_by_the_sum_that_does_not_come_out(
    models: Any, pool: Any, message: str | None
) -> None:
    data = specs.merge(spec(models, **pool), specs.FEATURES["shared-cache"])
    found = [each for each in ways.compiled(data).diagnostics if each.code == "LD357"]
    assert [each.message for each in found] == ([message] if message else [])
    for each in found:
        said = " ".join([each.message, *(note.text for note in each.notes)])
        assert all(f"({name})" in said or f"`{name}`" in said for name in models)
        assert ways.kept(data, "LD357", name=str(each.path[1]))


def test_named_devices_are_counted_by_cards() -> None:
    models = {"a": share(0.5), "b": share(0.5), "c": {}}
    assert codes(models, count=8, devices=[4, 6]) == []
    assert [service.gpus.devices for service in services(models, count=8, devices=[4, 6]).values()] == [
        (("4",),),
        (("4",),),
        (("6",),),
    ]


@pytest.mark.parametrize(
    "pool",
    [
        {"type": "cpu", "memory": "32GiB", "count": 1},
        {
            "type": "h100-sxm-80gb",
            "resource": "nvidia.com/mig-1g.10gb",
            "memory": "10GiB",
            "devices": ["MIG-a"],
        },
    ],
    ids=["a CPU", "a slice"],
)
def test_what_is_divided_already_has_no_shares(pool: dict[str, Any]) -> None:
    assert ("LD358", ("models", "a", "gpus", "share")) in codes({"a": share(0.5)}, **pool)


def test_what_is_not_known_is_not_shared() -> None:
    models = {"a": share(0.5, source="org/unknown"), "b": share(0.5)}
    assert codes(models) == [("LD358", ("models", "a", "gpus", "share"))]


def test_a_scheduler_cannot_hand_out_shares() -> None:
    models = {"a": share(0.5), "b": share(0.5)}
    found = specs.compiled(spec(models), emit=False).diagnostics
    said = [(each.code, each.path) for each in found if each.severity == "error"]
    assert said == [("LD401", ("models", name, "gpus", "share")) for name in "ab" for _ in range(2)]


def test_a_larger_share_is_a_way_out() -> None:
    models = {"a": share(0.2), "b": share(0.4, source=LARGE)}
    (found,) = [each for each in compiled(models).diagnostics if each.severity == "error"]
    assert found.code == "LD304"
    assert "`gpus.share: 0.4" in (found.help or "") or "`gpus.share: 0.5" in (found.help or "")
    larger = next(word for word in (found.help or "").split("`") if word.startswith("gpus.share"))
    assert codes({**models, "b": share(float(larger.split()[-1]), source=LARGE)}) == []


def test_a_context_with_another_spec_seats_its_models_anew() -> None:
    """Whoever asked before: seats are found once for a context, and never handed on."""
    first, _ = parse(read(specs.yaml_of(spec({"a": share(0.4), "b": share(0.4)})))[0], {})
    second, _ = parse(read(specs.yaml_of(spec({"b": share(0.4)})))[0], {})
    assert first is not None and second is not None
    context = Context(first, Facts(), hardware(first), {}, {})
    (pool,) = context.pools.values()
    assert context.seating(pool).earlier("b") == ("a",)
    assert replace(context, spec=second).seating(pool).earlier("b") == ()
    assert context.seating(pool).earlier("b") == ("a",)
