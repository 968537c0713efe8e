"""What a finding about quantization advises compiles without another one of the kind."""

from __future__ import annotations

import json
import re

import pytest

from llmdeploy.catalog import ModelFacts, formats
from llmdeploy.checks.quantization import title_of
from llmdeploy.compiler import compile
from llmdeploy.diagnostics import Diagnostic
from llmdeploy.facts import Facts

FAMILY = {"LD330", "LD331", "LD332", "LD333"}
CARDS = {
    "t4": "type: t4, count: 1",
    "h100": "type: h100-sxm-80gb, count: 1",
    "mi300x": "type: mi300x, count: 1",
    "cpu": "type: cpu, memory: 64GiB",
}
CHECKPOINTS = (
    "plain",
    "awq",
    "gptq",
    "fp8",
    "fbgemm_fp8",
    "bitsandbytes",
    "modelopt/nvfp4",
    "compressed-tensors/w4a16",
)
WORDS = (None, "none", "fp8", "int4", "gptq", "nvfp4")


def findings(engine: str, card: str, checkpoint: str, word: str | None) -> list[Diagnostic]:
    bits = 4 if checkpoint in ("awq", "gptq", "bitsandbytes") else None
    facts = ModelFacts(id="m", source="test", experts=0, quantization=checkpoint, quantization_bits=bits)
    model = {"source": "./m", "engine": engine, "context": 4096} | ({"quantization": word} if word else {})
    text = (
        f"version: 1\nname: demo\ngpus: {{gpu: {{{CARDS[card]}}}}}\nmodels: {{chat: {json.dumps(model)}}}\n"
        "routes: [{path: /chat, model: chat}]\ntargets: {docker: {}}\n"
    )
    result = compile(text, facts=Facts(models={"./m": facts}), emit=False)
    return [found for found in result.diagnostics if found.code in FAMILY]


def words(help: str) -> set[str]:
    """The words of `quantization` that a help names: those in backticks behind `write`."""
    said = re.findall(r"write ((?:`[^`]+`(?:, | or | \(or )?)+)", help)
    return {word for part in said for word in re.findall(r"`(?:quantization: )?(\w+)`", part)}


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_what_is_advised_is_not_refused_in_turn(engine: str, card: str, checkpoint: str) -> None:
    for word in WORDS:
        for found in findings(engine, card, checkpoint, word):
            help = found.help or ""
            assert help, found
            for other in words(help):
                assert not findings(engine, card, checkpoint, other), help
            if "leave `quantization` out" in help:
                assert not findings(engine, card, checkpoint, None), help
            for other in re.findall(r"`engine: (\w+)`", help):
                assert not findings(other, card, checkpoint, word), help
            if (named := re.search(r"name a checkpoint in (.*?) as `source`", help)) is not None:
                for title in re.split(r", | or ", named[1]):
                    of_title = [each for each in formats() if title_of(each) == title]
                    assert any(not findings(engine, card, each, None) for each in of_title), help


def test_the_advice_is_read_out_of_the_help() -> None:
    """Else the test above would hold for nothing."""
    assert words("write `quantization: fp8` (or `mxfp4`, `nvfp4`), which it makes") == {
        "fp8",
        "mxfp4",
        "nvfp4",
    }
    assert words("leave `quantization` out or write `awq` or `int4`, or take") == {"awq", "int4"}
    (found,) = findings("vllm", "h100", "plain", "gptq")
    assert "name a checkpoint in GPTQ as `source`" in (found.help or "")
    (found,) = findings("sglang", "mi300x", "plain", "gptq")
    assert "checkpoint in GPTQ" not in (found.help or "")
