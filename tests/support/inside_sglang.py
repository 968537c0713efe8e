"""Run by SGLang's own Python: what it makes of a command that leaves its share of the card open.

    python inside_sglang.py JUDGE < [{"model": "/folder", "capability": [8, 9], "memory_gib": 22, "settings": {}}, ...]

A line of JSON comes back for each: mem_fraction_static and chunked_prefill_size as resolved. JUDGE is the folder of
sglang_judge.py, which stands in for the GPU.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys

sys.path.insert(0, sys.argv[1])

import sglang_judge
from sglang.srt.server_args import ServerArgs

for name in sglang_judge._LATER:
    importlib.import_module(f"sglang.srt.{name}")
logging.disable(logging.CRITICAL)

for case in json.load(sys.stdin):
    sglang_judge._stand_in_for_cuda(case["capability"], case["memory_gib"])
    settings = ServerArgs(model_path=case["model"], device="cuda", **case["settings"])
    settings.resolve_once()
    known = settings.resolved_dict()
    print(json.dumps([known["mem_fraction_static"], known["chunked_prefill_size"]]), flush=True)
