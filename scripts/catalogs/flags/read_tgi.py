"""Read TGI's flags in its source: it is written in Rust, and no parser of it can be imported.

`struct Args` of the launcher derives its parser (clap), so its fields are the flags, each with the variable of
its name. Further variables are read all over the launcher, the router, the v3 backend and the server.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from record import Record, compact, first_sentence

LAUNCHER = "launcher/src/main.rs"
READERS = ("launcher/src", "router/src", "backends/v3/src", "server/text_generation_server")

_FIELD = re.compile(
    r"(?P<help>(?:^ *///.*\n)*)^ *#\[clap\((?P<clap>[^\]]*)\)\]\s*(?P<name>\w+): (?P<rust>[\w<>]+),",
    re.MULTILINE,
)
_VARIANT = re.compile(r'(?:#\[clap\(name = "([^"]+)"\)\]\s*)?^ *([A-Z]\w*),', re.MULTILINE)
_READ = re.compile(
    r'env::var(?:_os)?\(\s*"(\w+)"|let varname = "(\w+)"'  # Rust
    r'|(?:getenv|environ\.get)\(\s*"(\w+)"|environ\["(\w+)"\]|"(\w+)" in os\.environ'  # Python
)


def read(checkout: str, commit: str) -> dict[str, Any]:
    """The flags at a commit of a checkout (a bare repository will do), and the variables that have no flag."""
    git = Git(checkout, commit)
    flags = launcher_flags(git.text(LAUNCHER))
    said = {row.get("env") for row in flags.values()}
    variables = set(_variables(git)) - said
    return {
        "flags": flags | {name: {"kind": "value", "type": "text", "env": name} for name in sorted(variables)},
        "registries": {},
    }


@dataclass(frozen=True)
class Git:
    checkout: str
    commit: str

    def text(self, path: str) -> str:
        return self._run("show", f"{self.commit}:{path}")

    def files(self, *folders: str) -> list[str]:
        return self._run("ls-tree", "-r", "--name-only", self.commit, *folders).splitlines()

    def _run(self, *argv: str) -> str:
        git = ["git", "-C", self.checkout, *argv]
        return subprocess.run(git, check=True, capture_output=True, text=True).stdout


def launcher_flags(source: str) -> dict[str, Record]:
    """The fields of `struct Args`, and the two flags that clap adds to them."""
    body = _block("struct Args", source)
    rows = [_flag(field, source) for field in _FIELD.finditer(body)]
    assert len(rows) == body.count("#[clap("), "a field of Args that was not read"
    rows += [{"name": "--help", "kind": "switch", "type": "bool", "aliases": ["-h"]}]
    rows += [{"name": "--version", "kind": "switch", "type": "bool", "aliases": ["-V"]}]
    return {row.pop("name"): row for row in rows}


def _flag(field: re.Match[str], source: str) -> Record:
    name, words = field["name"], re.findall(r'\w+(?:\s*=\s*(?:"[^"]*"|\'[^\']*\'))?', field["clap"])
    stated = {word.partition("=")[0].strip(): word.partition("=")[2].strip()[1:-1] for word in words}
    rust = re.sub(r"^Option<(.*)>$", r"\1", field["rust"])
    many = rust.startswith("Vec<")
    switch = field["rust"] == "bool"
    # What has a delimiter is one text to us, as the variable is; without one, the flag is given again.
    kind = "switch" if switch else "append" if many and "value_delimiter" not in stated else "value"
    type = "text" if many else _type(rust)
    doc = "\n".join(line.strip().removeprefix("///") for line in field["help"].splitlines())
    return compact(
        {
            "name": "--" + name.replace("_", "-"),
            "kind": kind,
            "type": type,
            "aliases": [f"-{name[0]}"] if "short" in stated else [],
            "choices": _choices(rust, source),
            "default": False if switch else _default(stated.get("default_value"), type),
            "env": name.upper() if "env" in stated else None,
            "help": first_sentence(doc),
        }
    )


def _type(rust: str) -> str:
    if re.fullmatch(r"u\d+|usize", rust):
        return "int"
    return {"bool": "bool", "f32": "float"}.get(rust, "text")


def _default(text: str | None, type: str) -> Any:
    if text is None or type == "text":
        return text
    return int(text) if type == "int" else float(text)


def _choices(rust: str, source: str) -> list[str]:
    """The values of an enum: clap spells a variant in kebab-case unless it is named."""
    if f"enum {rust} " not in source:
        return []
    variants = _VARIANT.findall(_block(f"enum {rust}", source))
    return sorted(named or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower() for named, name in variants)


def _block(head: str, source: str) -> str:
    """What stands between the braces after `head`, without ordinary comments."""
    match = re.search(rf"^(?:pub )?{head} \{{\n(.*?)^\}}", source, re.MULTILINE | re.DOTALL)
    assert match is not None, f"no {head}"
    return re.sub(r"^\s*//[^/].*\n", "", match[1], flags=re.MULTILINE)


def _variables(git: Git) -> Iterator[str]:
    for path in git.files(*READERS):
        if path.endswith((".rs", ".py")):
            for groups in _READ.findall(git.text(path)):
                yield from filter(None, groups)
