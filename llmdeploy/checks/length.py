"""Is the model asked for no more tokens than it can handle?"""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.catalog.versions import within
from llmdeploy.checks.architecture import notes
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic
from llmdeploy.facts.config import stretched
from llmdeploy.memory import overrides

_LONGER = ("VLLM_ALLOW_LONG_MAX_MODEL_LEN", "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN")
"""Variables with which an engine starts all the same, and warns (vLLM 0.33, config/model.py, _get_and_verify_max_len;
SGLang 0.5.23, srt/configs/model_config.py)."""


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        facts = context.model_facts(name)
        longest = facts.max_context if facts else None
        if model.context is None or longest is None or model.context <= longest or _meant(context, name):
            continue
        length = _of_yarn(context, name)
        if length >= model.context and _counts_yarn(context, name):
            continue
        help = f"set `context: {longest}` or less, or leave it out"
        if length > longest:
            help = (
                f"engines go by `max_position_embeddings`, not by its YaRN: set `max_position_embeddings: {length}` beside "
                f"that, or `context: {longest}` or less"
            )
        yield Diagnostic(
            "LD305",
            f"`{name}` handles {longest} tokens at most, {model.context} are asked for",
            ("models", name, "context"),
            help=help,
            notes=notes(context, name, "max_position_embeddings"),
        )


def _meant(context: Context, name: str) -> bool:
    env = context.spec.models[name].env
    return any(str(env.get(variable, "0")).strip().lower() in ("1", "true") for variable in _LONGER)


def _of_yarn(context: Context, name: str) -> int:
    """Return the length that a YaRN of config.json, or one that `engine_args` put there, is made for; 0 without one."""
    changes = overrides.stated(context.spec.models[name].engine_args)
    return stretched(overrides.overridden(context.checkpoint(name), changes).config) or 0


def _counts_yarn(context: Context, name: str) -> bool:
    """Tell whether it is a vLLM that counts the length itself (until vllm-project/vllm#56446, which 0.30.0 has)."""
    model = context.spec.models[name]
    return context.engine_of(name) == "vllm" and within(model.engine_version or "0.30", None, "0.30")
