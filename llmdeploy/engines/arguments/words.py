"""Arguments in the form that reaches the engine: flags, variables, or a Bento's pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdeploy.engines.arguments.judge import Argument
from llmdeploy.engines.arguments.values import text_of


def flags(argument: Argument) -> list[str]:
    """Return the words of a command line. Raises ValueError for a value that has no form there."""
    flag, text, value = argument.spelled.flag, argument.spelled.text, argument.value
    if argument.field:
        return _valued(f"{text}.{argument.field}", value)
    if flag.kind == "switch":
        return [text if value is True else _opposite(argument)]
    if flag.kind == "optional" and value is True:
        return [text]
    if flag.kind == "append":
        return [word for one in _listed(value) for word in _valued(text, one)]
    if flag.kind == "list" and isinstance(value, list):
        texts = [text_of(one) for one in value]
        if any(one.startswith("-") for one in texts):
            raise ValueError("is a list with a value that begins with `-`, which would be read as a flag")
        return [text, *texts]
    return _valued(text, value)


def _valued(text: str, value: Any) -> list[str]:
    said = text_of(value)
    # A value that begins with a dash would be read as the next flag.
    return [f"{text}={said}"] if said.startswith("-") else [text, said]


def _opposite(argument: Argument) -> str:
    flag = argument.spelled.flag
    if argument.spelled.negated:
        return flag.name
    # `--no-x` is what every release of vLLM takes; 0.33 prefers `--disable-x`.
    plain = (each for each in flag.negations if each.startswith("--no-"))
    return next(plain, flag.negations[0])


def variable(argument: Argument) -> tuple[str, str]:
    """Return the variable that says the same. Raises ValueError for a value that has no form there."""
    flag, value = argument.spelled.flag, argument.value
    if isinstance(value, Mapping):
        raise ValueError("is a mapping, which the engine cannot take")
    if flag.kind == "append" and isinstance(value, list) and len(value) > 1:
        raise ValueError("takes several values as a flag only, and as a variable one")
    name = flag.env or flag.name.lstrip("-").replace("-", "_").upper()
    return name, ",".join(map(text_of, _listed(value)))


def pair(argument: Argument) -> list[str]:
    """Return an argument of a Bento; bentoml 1.4 splits values at commas."""
    value = argument.value
    if isinstance(value, Mapping | list) or "," in text_of(value):
        raise ValueError("is a list, a mapping or has a comma, which the engine cannot take")
    return ["--arg", f"{argument.key.lstrip('-').replace('-', '_')}={text_of(value)}"]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
