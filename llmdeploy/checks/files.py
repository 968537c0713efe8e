"""Files and directories beside llm.yaml that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.facts.documents import ABSENT

LARGEST_TEMPLATE = 512 * 1024
"""Bytes. A chat template travels in a ConfigMap, which holds 1 MiB in all."""


def check(context: Context) -> Iterator[Diagnostic]:
    yield from _directories(context)
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


_OF_A_MODEL = {
    "config.json": "nothing is known of its shape, context and quantization here, and no rule is tried on them",
    "hf_quant_config.json": "what it says of the quantization is not known here",
}
_OF_AN_ADAPTER = {"adapter_config.json": "`rank` is believed as it is stated"}


def _directories(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        for below, source in ((("source",), model.source), *model.further_sources()):
            directory = source.path
            if directory is None:
                continue
            path: Path = ("models", name, *below)
            if directory in context.facts.not_directories:
                parent = directory.rpartition("/")[0] or "."
                yield Diagnostic(
                    "LD512",
                    f"`{directory}` is a file, and a source is the directory of a model",
                    path,
                    help=f"name the directory that holds it, `{parent if parent[0] in './' else f'./{parent}'}`",
                )
            elif context.facts.directories.get(directory) is False:
                yield Diagnostic(
                    "LD512",
                    f"the directory `{directory}` is not on this machine",
                    path,
                    help="see that it is there, with its weights, where the artifacts will run; paths are relative to llm.yaml",
                )
            read = _OF_AN_ADAPTER if below[0] == "adapters" else _OF_A_MODEL
            yield from _faults(context.facts.faults.get(directory, {}), directory, read, path)


def _faults(
    faults: Mapping[str, str], directory: str, read: Mapping[str, str], path: Path
) -> Iterator[Diagnostic]:
    """`read` has what each file is read for: what cannot be told without it."""
    for file, unknown in read.items():
        if file in faults:
            absent = faults[file] == ABSENT
            help = "name the directory that has it" if absent else "mend the file: the engine reads it, too"
            yield Diagnostic("LD526", f"`{directory}/{file}` {faults[file]}: {unknown}", path, help)
