"""What is wrong with the weights that llm.yaml names, or with asking for them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
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
        if context.read_facts(name) is not None and (doubt := context.checkpoint(name).doubt) is not None:
            whose = context.spec.models[name].source
            message = f"the weights of `{whose.path or context.hub_id(name)}` are not those of its config.json: {doubt}"
            yield Diagnostic("LD546", message, ("models", name, "source"), _BOTH)


_BOTH = "complete the download (`hf download` fetches what is missing), or name the directory that has the files of one model"
