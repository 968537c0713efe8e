"""What is wrong with the weights that llm.yaml names, or with asking for them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.checks.engines import release_of
from llmdeploy.diagnostics import Diagnostic
from llmdeploy.facts.sources import sources


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        how = context.load_format(name)
        if how == "dummy":
            continue
        for source in sources(context.spec, model):
            flaw = context.facts.flaws.get(source.key)
            # Other formats (tensorizer's, those of plug-ins) keep weights in files that are not known here.
            if flaw is not None and (flaw.code != "LD545" or how == "auto"):
                yield Diagnostic(flaw.code, flaw.message, ("models", name, *source.below), flaw.help)
        yield from _gguf(context, name)
        if context.read_facts(name) is not None and (doubt := context.checkpoint(name).doubt) is not None:
            whose = context.spec.models[name].source
            message = f"the weights of `{whose.path or context.hub_id(name)}` are not those of its config.json: {doubt}"
            yield Diagnostic("LD546", message, ("models", name, "source"), _BOTH)


def _gguf(context: Context, name: str) -> Iterator[Diagnostic]:
    """Weights that the engine's own image has no loader for. Who names another image knows what is in it."""
    model, release = context.spec.models[name], release_of(context, name)
    read = context.facts.checkpoints.get(model.source.path or "")
    if read is None or release is None or model.image is not None or model.quantization == "gguf":
        return
    why = next(
        (row.because for row in release.limits.methods if row.does == "lacks" and row.word == "gguf"), None
    )
    if why is not None and read.is_gguf:
        yield Diagnostic(
            "LD360",
            f"`{model.source.path}` has its weights in GGUF, which {release.name} loads {why}",
            ("models", name, "source"),
            "name a directory with the model's safetensors, quantized or not, or an `image` of your own that loads GGUF",
        )


_BOTH = "complete the download (`hf download` fetches what is missing), or name the directory that has the files of one model"
