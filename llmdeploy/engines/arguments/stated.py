"""`engine_args` and `env` by the engine's own names, for who asks what they say: the ledger of memory."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from llmdeploy.catalog.flags import Flag
from llmdeploy.engines.arguments.bounds import Beside, faults
from llmdeploy.engines.arguments.parser import Parser, parser_of
from llmdeploy.engines.arguments.spelling import bare, split
from llmdeploy.engines.arguments.values import fault, text_of
from llmdeploy.engines.table import load
from llmdeploy.memory.model import Question
from llmdeploy.memory.options import Said, Stated, plain


def said(question: Question, package: str) -> Said:
    """Return what a question states, by full names: flags without dashes, variables in capitals.

    A switch that is given by its opposite is false; what stands behind dots is one mapping again. What the engine does not
    have goes by the name that it was given by. What the engine refuses says nothing: it is told where it stands (LD319).
    """
    found: dict[str, Stated] = {}
    if question.options:
        parser, beside = _parser(package, question.version), Beside(question.card.vendor, question.options)
        for key, value in question.options.items():
            _add(found, key, value, parser, beside)
    found |= {name: Stated(text) for name, text in (question.env or {}).items()}
    return Said(found)


@cache
def _parser(package: str, version: str | None) -> Parser | None:
    table = load(package)
    return parser_of(table, version or table.versions[0])


def _add(found: dict[str, Stated], key: str, value: Any, parser: Parser | None, beside: Beside) -> None:
    spelling, field = split(key)
    spelled = (parser.find(spelling) or parser.find(spelling.lower())) if parser else None
    if spelled is None or parser is None:
        _guess(found, bare(spelling), field, value)
        return
    flag, name = spelled.flag, bare(spelled.flag.name)
    if flag.env is not None:  # an engine that is driven by its variables
        name = flag.env
    if spelled.negated:
        value = not value if isinstance(value, bool) else value
    if not field and fault(value, flag, parser.numbers) is not None:
        return
    value = _json(value) if flag.type == "json" else _number(value, flag, parser)
    if any(faults(value, flag, beside, parser, field)):
        return
    if field:
        before = found[name].value if name in found else {}
        found[name] = Stated(_with(before, field, _json(value)))
    else:
        found[name] = Stated(_fields(value), usual=_is_default(value, flag))


def _guess(found: dict[str, Stated], name: str, field: str, value: Any) -> None:
    """Take a flag of a release that the catalog does not cover by what its name and its value look like."""
    if field:
        before = found[name].value if name in found else {}
        found[name] = Stated(_with(before, field, _json(value)))
    elif name.startswith("no-") and isinstance(value, bool):
        found[name.removeprefix("no-")] = Stated(not value)
    else:
        looks_like_json = isinstance(value, str) and value.lstrip().startswith(("{", "["))
        found[name] = Stated(_fields(_json(value) if looks_like_json else value))


def _is_default(value: Any, flag: Flag) -> bool:
    if flag.default is None:
        return False
    return value == flag.default or plain(text_of(value)) == plain(flag.default)


def _json(value: Any) -> Any:
    """Return what a JSON text says; a text that is none is itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _fields(value: Any) -> Any:
    """Write the names of fields as they are in the engine's code: behind a dot, dashes stand for them as well."""
    if not isinstance(value, Mapping):
        return value
    return {str(key).replace("-", "_"): inner for key, inner in value.items()}


def _with(before: Any, field: str, value: Any) -> Mapping[str, Any]:
    whole = dict(before) if isinstance(before, Mapping) else {}
    name, _, rest = field.replace("-", "_").partition(".")
    whole[name] = _with(whole.get(name), rest, value) if rest else value
    return whole


def _number(value: Any, flag: Flag, parser: Parser | None) -> Any:
    """Read the numbers that YAML has as text."""
    if isinstance(value, list):
        return [_number(each, flag, parser) for each in value]
    if not isinstance(value, str) or flag.type not in ("int", "float", "size"):
        return value
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", value.strip())
    factor = parser.numbers.sizes.get(found[2], 1) if found and parser and found[2] else 1
    try:
        number = float(found[1]) * factor if found else float(value)
    except ValueError:
        return value
    return number if flag.type == "float" else int(number)
