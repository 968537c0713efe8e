"""Files and directories beside llm.yaml that it names."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic

LARGEST_TEMPLATE = 512 * 1024
"""Bytes. A chat template travels in a ConfigMap, which holds 1 MiB in all."""


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        template = model.chat_template
        if template is not None:
            path = ("models", name, "chat_template")
            text = context.facts.files.get(template)
            if text is None:
                yield Diagnostic(
                    "LD210",
                    f"the chat template `{template}` cannot be read",
                    path,
                    help="name a text file that exists; paths are relative to llm.yaml",
                )
            elif len(text.encode()) > LARGEST_TEMPLATE:
                yield Diagnostic(
                    "LD104",
                    f"the chat template has {len(text.encode()):,} bytes, at most {LARGEST_TEMPLATE:,} can travel in a ConfigMap",
                    path,
                    help="shorten the template",
                )
        for below, source in ((("source",), model.source), *model.further_sources()):
            directory = source.path
            if directory is not None and context.facts.directories.get(directory) is False:
                yield Diagnostic(
                    "LD512",
                    f"the directory `{directory}` is not on this machine",
                    ("models", name, *below),
                    help="see that it is there, with its weights, where the artifacts will run; paths are relative to llm.yaml",
                )
