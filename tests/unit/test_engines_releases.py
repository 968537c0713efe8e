"""Every release that a spec may name is given what its own parser takes, and is asked on paths that it has."""

from __future__ import annotations

import pytest
from support.settings import ENGINES, RICH, settings

from llmdeploy.engines.arguments.parser import parser_of
from llmdeploy.engines.arguments.values import fault

RELEASES = [
    (name, each) for name, engine in ENGINES.items() for each in engine.releases() if name != "openllm"
]
VENDORS = ("nvidia", "amd", "cpu")


def lowered(name, version, vendor, values):
    arch = "gfx942" if vendor == "amd" else None
    return ENGINES[name].lower(settings(name, values, version=version, vendor=vendor, arch=arch))


@pytest.mark.parametrize(("name", "version"), RELEASES)
@pytest.mark.parametrize("vendor", VENDORS)
def test_every_flag_that_is_made_for_a_release_is_its_own(name, version, vendor):
    """Each setting alone: what a release lacks must be said, and not be made for it."""
    parser = parser_of(ENGINES[name].table, version)
    for setting, value in [("served_names", ("a", "b")), *RICH.items()]:
        result = lowered(name, version, vendor, {setting: value})
        if any(found.severity == "error" for found in result.diagnostics):
            continue
        words = result.launch.args
        for index, word in enumerate(words):
            if not word.startswith("--"):
                continue
            spelled = parser.find(word.partition("=")[0].partition(".")[0])
            assert spelled is not None, (setting, word)
            if spelled.flag.kind == "value":
                assert fault(words[index + 1], spelled.flag, parser.numbers) is None, (setting, word)


@pytest.mark.parametrize("name", ["vllm", "sglang", "tgi"])
def test_verified_releases_are_known_to_the_catalog(name):
    engine = ENGINES[name]
    assert set(engine.versions) <= set(engine.releases())
    for version in engine.versions:
        assert parser_of(engine.table, version).release == version


@pytest.mark.parametrize(
    ("name", "version", "release"),
    [
        ("vllm", "0.33.0", "0.33.0"),
        ("vllm", "0.32.1", "0.32.0"),
        ("vllm", "0.32.1.post1", "0.32.0"),
        ("vllm", "0.34.0", None),
        ("vllm", "1.0", None),
        ("vllm", "0.8.5", None),
        ("vllm", "0.32", None),
        ("vllm", "v0.33.0", None),
        ("vllm", "0.33.0 --x", None),
        ("vllm", "latest", None),
        ("vllm", "", None),
        ("sglang", "0.5.23.post1", "0.5.23"),
        ("sglang", "0.5.24", None),
        ("tgi", "3.3.5", "3.3.0"),
        ("tgi", "3.4.0", None),
        ("openllm", "0.6.29", None),
    ],
)
def test_a_release_of_fixes_is_judged_by_the_one_beside_it(name, version, release):
    assert ENGINES[name].judged_by(version) == release


def test_sglang_has_a_ready_path_since_0_5_20():
    old, new = (lowered("sglang", version, "nvidia", {}).probes for version in ("0.5.19", "0.5.20"))
    assert (old.readiness.path, new.readiness.path) == ("/health", "/ready")
