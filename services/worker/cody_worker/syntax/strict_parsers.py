"""Parsers that know a format better than its grammar does. Only parsers, nothing of the file is executed or built."""

import json
import re
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from cody_worker.syntax.languages import Language

_FILE = "<file of the target repository>"
_YAML_DEPTH = 500
_TOO_DEEP = "it is nested too deeply to be parsed"


def has_strict_parser(language: Language) -> bool:
    return language in _PARSERS


def strict_error(language: Language, data: bytes) -> str | None:
    """What is wrong, with its line where the parser tells it; None for what is right or has no strict parser here.
    Blocking: a large file takes seconds."""
    parse = _PARSERS.get(language)
    if parse is None:
        return None
    try:
        parse(data)
    except (RecursionError, MemoryError):
        return _TOO_DEEP
    except ValueError as error:
        return str(error)
    return None


def _parse_python(data: bytes) -> None:
    _silence_warnings_about_the_file()
    try:
        compile(data, _FILE, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from error


def _silence_warnings_about_the_file() -> None:
    """Python warns about odd escapes and comparisons while it compiles. A filter on the file's name leaves every other
    warning alone, and unlike `catch_warnings` it can be used in a thread."""
    entry = ("ignore", None, Warning, re.compile(re.escape(_FILE)), 0)
    if entry not in warnings.filters:
        warnings.filterwarnings("ignore", module=re.escape(_FILE))


def _parse_json(data: bytes) -> None:
    json.loads(data, parse_int=str, parse_float=str)


def _parse_toml(data: bytes) -> None:
    tomllib.loads(data.decode("utf-8-sig"))


def _parse_yaml(data: bytes) -> None:
    """Events only: aliases are not followed and no object is made. libyaml takes quadratic time for deep nesting, so
    that ends early."""
    import yaml

    depth = 0
    try:
        for event in _yaml_events(data):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _YAML_DEPTH:
                raise RecursionError
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise ValueError(f"line {line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _yaml_events(data: bytes) -> Iterator[object]:
    import yaml

    return cast("Iterator[object]", yaml.parse(data, Loader=yaml.CSafeLoader))  # pyright: ignore[reportUnknownMemberType] (untyped)


_PARSERS: Mapping[Language, Callable[[bytes], None]] = {
    Language.PYTHON: _parse_python,
    Language.JSON: _parse_json,
    Language.TOML: _parse_toml,
    Language.YAML: _parse_yaml,
}
