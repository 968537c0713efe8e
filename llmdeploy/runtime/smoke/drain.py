"""Is an answer that has begun finished when the engine is told to stop?"""

from __future__ import annotations

import time

from llmdeploy.runtime.http import Rejected, Unreachable
from llmdeploy.runtime.smoke.model import Door
from llmdeploy.runtime.smoke.requests import CHAT, DONE, Fault, as_object, items, question

_TOKENS = 64


def drain(door: Door) -> str:
    """Stop it as docker and Kubernetes do, by SIGTERM to its first process, while it streams; the end of `door`."""
    assert door.process
    asked = {**question(door, "Count from one to a hundred, in words.", max_tokens=_TOKENS), "stream": True}
    pieces = list[str]()
    try:
        # A model that has little to say could be done before the signal comes.
        for _, data in door.client.stream(CHAT, {**asked, "ignore_eos": True}):
            if not pieces:
                door.process.terminate()
                stopped = time.monotonic()
            pieces.append(data)
    except Rejected as rejected:
        raise Fault(f"no stream, but {rejected}") from None
    except Unreachable as cut:
        raise Fault(
            f"an answer was cut off {len(pieces)} chunks after the engine was told to stop: {cut}"
        ) from None
    if not pieces or pieces[-1] != DONE:
        raise Fault(f"an answer was cut off {len(pieces)} chunks after the engine was told to stop")
    reasons = [
        str(choice["finish_reason"])
        for data in pieces[:-1]
        for choice in items(as_object(data), "choices")
        if choice.get("finish_reason")
    ]
    # What vLLM and SGLang say of an answer that they gave up.
    if "abort" in reasons:
        raise Fault(
            f"an answer was given up after {len(pieces) - 1} chunks, when the engine was told to stop"
        )
    if not door.process.reap(door.service.drain.grace_s):
        raise Fault(f"it still runs {door.service.drain.grace_s} s after it was told to stop")
    return f"{len(pieces) - 2} chunks came after SIGTERM, and it ended in {time.monotonic() - stopped:.1f} s"
