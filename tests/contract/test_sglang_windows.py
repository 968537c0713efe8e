"""The architectures of which SGLang keeps windows in a pool of their own, as its own code names them."""

from __future__ import annotations

import json
import subprocess

import pytest
from support.tiny import SGLANG
from support.tools import engine_python

from llmdeploy.engines.sglang.memory import table
from llmdeploy.memory.families import FAMILIES

pytestmark = pytest.mark.xdist_group("sglang-0.5.23")

PROGRAM = """
import json, sys
from sglang.srt.configs.model_config import is_hybrid_swa_model
print(json.dumps([name for name in json.load(sys.stdin) if is_hybrid_swa_model([name])]))
"""


def test_windows_have_a_pool_of_their_own_where_sglang_says_so() -> None:
    program = [engine_python(SGLANG), "-c", PROGRAM]
    done = subprocess.run(
        program, input=json.dumps([*FAMILIES]), capture_output=True, text=True, timeout=300, check=True
    )
    ours = [
        name
        for name, family in FAMILIES.items()
        if table().value("window_ratio", "0.5.23", {family.name}) < 1
    ]
    assert ours == json.loads(done.stdout.splitlines()[-1])
