"""What `llmdeploy engines` claims: closed, sourced, proven by the catalog of flags, and in line with the engines' own tables."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
import yaml
from support.settings import ENGINES

from llmdeploy.catalog import methods
from llmdeploy.catalog.course_table import claims
from llmdeploy.catalog.flags import flag_table
from llmdeploy.catalog.versions import order

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "capabilities.schema.json").read_text())
CELLS = [(name, cell) for name, engine in ENGINES.items() for cell in engine.capabilities()]
#: Questions that an engine's table answers with a setting, or with none.
SETTINGS = {
    "LoRA": "adapters",
    "embeddings, rerank": "embed",
    "reasoning": "reasoning",
    "speculative decoding": "speculative",
    "tensor parallel": "tensor",
    "pipeline parallel": "pipeline",
    "data parallel": "data",
    "expert parallel": "expert",
    "KV cache dtype": "kv_dtype",
}


def raw(engine):
    return yaml.safe_load((ROOT / "llmdeploy" / "engines" / engine / "capabilities.yaml").read_text())


def releases(cell, engine):
    """The releases in the catalog of flags that a cell holds for."""
    table = flag_table(engine)
    return [version for version in table.versions if cell.holds_for(version)] if table else []


def taken(engine, place, version):
    """The values of a registry, or of a flag; nothing where the catalog has no list of them for a release."""
    table = flag_table(engine)
    if not place.startswith("--"):
        return table.registry(place, version)
    flag = table.find(place, version)
    return flag.choices if flag else ()


def missing(cell, engine, version):
    """What a release lacks of the flags and values that prove a cell."""
    flags = [flag for flag in cell.flags if flag_table(engine).find(flag, version) is None]
    lists = {place: taken(engine, place, version) for place in cell.values}
    return flags + [
        value for place, all in lists.items() if all for value in cell.values[place] if value not in all
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_file_fits_its_schema_and_every_source_is_used(engine):
    data = raw(engine)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    cited = {row["source"] for rows in data["capabilities"].values() for row in rows}
    assert cited == set(data["sources"])


def test_schema_is_closed():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    questions = SCHEMA["properties"]["capabilities"]
    assert list(questions["properties"]) == questions["required"]
    broken = raw("vllm")
    broken["capabilities"]["telepathy"] = [{"value": "yes", "source": "parser"}]
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(broken)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_question_has_one_answer_for_every_release(engine):
    questions = SCHEMA["properties"]["capabilities"]["required"]
    for version in ENGINES[engine].releases():
        held = [cell.name for cell in ENGINES[engine].capabilities() if cell.holds_for(version)]
        assert held == questions, version


@pytest.mark.parametrize("engine", ENGINES)
def test_spans_follow_each_other_without_a_gap(engine):
    cells = ENGINES[engine].capabilities()
    for before, after in pairwise(cells):
        if before.name == after.name:
            assert before.until == after.since is not None
        else:
            assert before.until is None
            assert after.since is None


@pytest.mark.parametrize(
    ("engine", "cell"),
    [(e, c) for e, c in CELLS if c.flags or c.values],
    ids=[f"{e}-{c.name}-{c.since}" for e, c in CELLS if c.flags or c.values],
)
def test_flags_and_values_prove_a_cell_in_every_release_that_it_holds_for(engine, cell):
    for version in releases(cell, engine):
        assert missing(cell, engine, version) == [], version


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_a_span_ends_where_what_proves_it_does(engine):
    """What only one of two neighbouring cells names, no release of the other one has."""
    for before, after in pairwise(ENGINES[engine].capabilities()):
        if before.name != after.name:
            continue
        for cell, other in ((before, after), (after, before)):
            for place in cell.values:
                own = set(cell.values[place]) - set(other.values.get(place, ()))
                for version in releases(other, engine):
                    assert not own & set(taken(engine, place, version)), (cell.name, place, version)


def test_the_lists_that_prove_are_there():
    """Without them the tests above would prove nothing."""
    assert taken("vllm", "quantization", "0.33.0")
    assert taken("vllm", "--spec-method", "0.33.0")
    assert taken("sglang", "--quantization", "0.5.23")
    assert taken("tgi", "--quantize", "3.3.7")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("question", SETTINGS)
def test_an_engine_claims_what_its_table_can_spell_and_nothing_else(engine, question):
    spelled = SETTINGS[question] in ENGINES[engine].table.settings
    answers = [cell for cell in ENGINES[engine].capabilities() if cell.name == question]
    assert {cell.has for cell in answers} == {spelled}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("question", "vendor"), [("NVIDIA", "nvidia"), ("AMD", "amd"), ("CPU", "cpu")])
def test_an_engine_claims_the_accelerators_that_it_has_images_for(engine, question, vendor):
    images = [image for image in ENGINES[engine].table.images if image.vendor == vendor]
    for cell in ENGINES[engine].capabilities():
        if cell.name == question:
            assert cell.has is bool(images)
            named = set(re.findall(r"gfx\w+", cell.value))
            assert named == {image.arch for image in images} - {None}


@pytest.mark.parametrize("engine", ENGINES)
def test_compute_capabilities_and_cuda_are_those_of_the_limits(engine):
    for version in ENGINES[engine].releases():
        (cell,) = (c for c in ENGINES[engine].capabilities() if c.name == "NVIDIA" and c.holds_for(version))
        cuda = ENGINES[engine].limits(version).cuda
        bounds = [cuda.lowest, *([cuda.highest] if cuda.highest else [])]
        assert re.findall(r"(\d+\.\d)(?= up|–|,)", cell.value) == [f"{sm / 10:.1f}" for sm in bounds]
        if version in ENGINES[engine].versions:
            assert f"CUDA {cuda.version}" in cell.value


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_quantization_is_what_its_catalog_has(engine):
    cells = [cell for cell in ENGINES[engine].capabilities() if cell.name == "quantization"]
    for version in ENGINES[engine].releases():
        (cell,) = (each for each in cells if each.holds_for(version))
        known = [method for method in methods(engine, version) if method.package is None]
        make, load = (set(re.findall(r"[\w-]+", part)) for part in cell.value.split(";"))
        made = {word for method in known if method.does == "make" for word in (method.word, method.flag)}
        loaded = {part for method in known if method.format for part in method.format.split("/")}
        named = {value for values in cell.values.values() for value in values}
        assert make - {"online"} <= made
        assert load - {"checkpoints"} <= loaded | named
        for method in known:
            if method.does == "make":
                assert make & {method.word, method.flag.partition("-")[0]}, method


@pytest.mark.parametrize("engine", ENGINES)
def test_lifecycle_is_that_of_the_card(engine):
    (cell,) = (cell for cell in ENGINES[engine].capabilities() if cell.name == "lifecycle")
    assert cell.value.split()[0] == ENGINES[engine].card().status
    assert (ENGINES[engine].card().status == "maintained") is (not ENGINES[engine].table.lifecycle)


def test_the_course_speaks_of_engines_and_questions_that_are_there_and_once_of_each():
    seen = [(claim.engine, claim.capability) for claim in claims()]
    assert set(seen) <= {(engine, cell.name) for engine, cell in CELLS}
    assert len(seen) == len(set(seen))


def test_what_no_longer_holds_had_ended_before_the_releases_of_today():
    """So every mark of `llmdeploy engines` is right for whatever release is asked."""
    for claim in claims():
        for version in (claim.version, claim.by):
            if version:
                assert order(version) <= order(ENGINES[claim.engine].versions[0])


@pytest.mark.parametrize(
    ("engine", "capability", "holds"),
    [
        ("vllm", "PagedAttention", True),
        ("sglang", "PagedAttention", False),
        ("openllm", "speculative decoding", False),
        ("vllm", "multi-modal", True),
        ("sglang", "multi-modal", False),
        ("vllm", "quantization", False),
        ("tgi", "quantization", False),
        ("sglang", "quantization", False),
        ("openllm", "quantization", False),
        ("vllm", "prefix caching", False),
        ("sglang", "prefix caching", True),
        ("vllm", "grammar", False),
        ("tgi", "best for", False),
    ],
)
def test_verdict_on_the_course(engine, capability, holds):
    (claim,) = (each for each in claims() if (each.engine, each.capability) == (engine, capability))
    assert claim.holds is holds


def test_course_says_no_where_the_engine_has_it():
    """A "no" of the course that is called wrong is a yes today, and what it calls right is none."""
    for claim in claims():
        cells = [c for e, c in CELLS if e == claim.engine and c.name == claim.capability]
        if claim.said == "no":
            assert all(cell.has for cell in cells) is not claim.holds


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_what_is_said_of_gguf_is_what_the_diagnostic_says(engine):
    cells = [cell for cell in ENGINES[engine].capabilities() if cell.name == "GGUF"]
    for version in ENGINES[engine].releases():
        (cell,) = (each for each in cells if each.holds_for(version))
        (row,) = (each for each in methods(engine, version) if each.does == "lacks" and each.word == "gguf")
        assert (row.because or "").startswith(cell.value.removeprefix("no, ")), version
