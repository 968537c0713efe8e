"""Log lines as TGI writes them: Rust's `tracing` on stdout, in colour even where nobody sees it."""

from __future__ import annotations

import json
import math
import re
import sys
import textwrap
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from support.tgi.flags import FLAGS

_COLOURS = {"ERROR": 31, "WARN": 33, "INFO": 32}
_LEVELS = ["off", "error", "warn", "info", "debug", "trace"]
_WIDTH = 80
_ONE = threading.Lock()


class Log:
    """`LOG_LEVEL`, `JSON_OUTPUT` and `NO_COLOR` are honoured; an unknown level is none, as in TGI."""

    def __init__(self, environ: Mapping[str, str], *, as_json: bool) -> None:
        level = environ.get("LOG_LEVEL", "info").lower()
        self._level = _LEVELS.index(level) if level in _LEVELS else _LEVELS.index("info")
        self._json = as_json
        self._plain = bool(environ.get("NO_COLOR"))

    def launcher(self, level: str, message: str, *, span: str = "", fields: str = "") -> None:
        self._write(level, "text_generation_launcher", message, span, fields)

    def router(self, level: str, message: str, module: str = "server") -> None:
        self._write(level, f"text_generation_router::{module}", message, "", "")

    def _write(self, level: str, target: str, message: str, span: str, fields: str) -> None:
        if _LEVELS.index(level.lower()) > self._level:
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if self._json:
            record: dict[str, Any] = {"timestamp": now, "level": level, "fields": {"message": message}}
            line = json.dumps(record | {"target": target}, ensure_ascii=False)
        else:
            head = f"\x1b[1m{span}\x1b[0m: " if span else ""
            tail = f" \x1b[3m{fields}\x1b[0m" if fields else ""
            line = (
                f"\x1b[2m{now}\x1b[0m \x1b[{_COLOURS[level]}m{level:>5}\x1b[0m {head}"
                f"\x1b[2m{target}\x1b[0m\x1b[2m:\x1b[0m {message}{tail}"
            )
        if self._plain:
            line = re.sub(r"\x1b\[\d+m", "", line)
        with _ONE:
            # On one write, since requests log from their own threads.
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def traceback(place: str, error: str) -> str:
    """Return what typer prints for an exception of the Python server: a frame, then the error, wrapped."""
    title = " Traceback (most recent call last) "
    frame = [f"╭{title:─^{_WIDTH - 2}}╮", f"│ {place:<{_WIDTH - 4}} │", f"╰{'─' * (_WIDTH - 2)}╯"]
    return "\n" + "\n".join([*frame, *textwrap.wrap(error, _WIDTH, break_on_hyphens=False)])


def arguments(args: SimpleNamespace) -> str:
    """Return `{:#?}` of the arguments: all of them, and the API key with them."""
    lines = (f"    {name}: {_debug(name, value)},\n" for name, value in vars(args).items())
    return "Args {\n" + "".join(lines) + "}"


def _debug(name: str, value: Any) -> str:
    flag = FLAGS[name]
    if flag.many and value is not None:
        inner = "".join(f"\n        {_plain(name, each)}," for each in value)
        text = f"[{inner}\n    ]" if inner else "[]"
    else:
        text = "None" if value is None else _plain(name, value)
    return f"Some(\n        {text},\n    )" if flag.optional and value is not None else text


def _plain(name: str, value: Any) -> str:
    kind = FLAGS[name].kind
    match value:
        case bool():
            return str(value).lower()
        case float():
            return repr(value) if math.isfinite(value) else {"nan": "NaN"}.get(str(value), str(value))
        case str() if kind == "String":
            return json.dumps(value, ensure_ascii=False)
        case "bfloat16":
            return "BFloat16"
        case str():
            # A variant of an enum, by its name in Rust.
            separator = "_" if kind == "KVCacheDtype" else "-"
            first, *rest = value.split(separator)
            return first.title() + "".join(each if separator == "_" else each.title() for each in rest)
        case _:
            return str(value)
