"""The compose target's own rules."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from support import plans

from llmdeploy.emit.schemas import schema_errors
from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Compose
from llmdeploy.targets.compose import TARGET
from llmdeploy.targets.compose.document import document, merge
from llmdeploy.targets.compose.interpolation import Reference, escape


def made(plan: Plan) -> dict[str, Any]:
    return document(plan, plan.options["compose"])


def overridden(overrides: dict[str, Any]) -> Plan:
    return replace(plans.ONE, options={"compose": Compose(overrides=overrides)})


@pytest.mark.parametrize("plan", plans.ALL.values(), ids=plans.ALL)
def test_the_compose_specification_takes_every_plan(plan: Plan) -> None:
    assert schema_errors("compose", made(plan)) == []
    assert list(TARGET.check(plan)) == []


def test_who_shares_a_card_waits_for_those_before_it() -> None:
    services = made(plans.SHARED)["services"]
    conditions = {
        name: {
            each
            for each, how in services[name]["depends_on"].items()
            if how["condition"] == "service_healthy"
        }
        for name in ("first", "first-2", "second", "third")
    }
    both = {"first", "first-2"}
    assert conditions == {"first": set(), "first-2": set(), "second": both, "third": both}


def test_dollars_are_doubled_but_for_references() -> None:
    assert escape({"a$": ["$1", Reference("${X:?y}"), 2]}) == {"a$": ["$$1", "${X:?y}", 2]}


def test_overrides_merge_mappings_and_replace_the_rest() -> None:
    base = {"a": {"b": 1, "c": [1]}, "d": 2}
    assert merge(base, {"a": {"c": [2]}, "d": {"e": 3}}) == {"a": {"b": 1, "c": [2]}, "d": {"e": 3}}


def test_an_override_reaches_the_file() -> None:
    chat = made(overridden({"services": {"chat": {"cpus": 2.5, "cap_drop": []}}}))["services"]["chat"]
    assert (chat["cpus"], chat["cap_drop"], chat["init"]) == (2.5, [], True)


def test_an_override_that_compose_refuses_is_reported_where_it_stands() -> None:
    (found,) = TARGET.check(overridden({"services": {"chat": {"mem_limitt": "64g"}}}))
    assert found.code == "LD404"
    assert found.path[:3] == ("targets", "compose", "overrides")
    assert "mem_limitt" in found.message


def test_a_changed_file_changes_the_service_that_mounts_it() -> None:
    """Compose itself does not look into files."""
    (service,) = plans.TEMPLATE.services
    changed = replace(service, files=(replace(service.files[0], text="new\n"),))
    before, after = made(plans.TEMPLATE)["services"]["chat"], made(plans.plan(changed))["services"]["chat"]
    assert before["labels"] != after["labels"]


def test_a_built_image_is_built_for_all_that_use_it() -> None:
    services = made(plans.BUILT)["services"]
    assert services["chat"]["build"] == services["chat-download"]["build"] == {"context": "./build/chat"}
    assert "compose/build/chat/Dockerfile" in {artifact.path for artifact in TARGET.emit(plans.BUILT)}


def test_no_two_services_share_a_name() -> None:
    """A model may be called like a container that the target adds."""
    assert set(made(plans.CLASH)["services"]) == {
        *("gateway", "gateway-download", "a", "a_2", "a_download", "a-2", "a-2-download"),
        *("a-download", "a-download-download", "llmdeploy_gateway"),
    }


def test_emission_is_pure() -> None:
    assert list(TARGET.emit(plans.HYBRID)) == list(TARGET.emit(plans.HYBRID))
