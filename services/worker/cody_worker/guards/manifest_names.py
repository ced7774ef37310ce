"""The names of the packages that a manifest asks for, whatever their versions."""

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import cast
from xml.parsers import expat

from cody_worker.guards.xml_manifests import maven_names, nuget_names

_PYTHON_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]{0,200})")
_EGG = re.compile(r"#egg=([\w.-]{1,200})")
_WHEEL = re.compile(r"([A-Za-z0-9][\w.]{0,200})-[^/\s]{1,300}\.(?:whl|tar\.gz|zip)\b")
_OPTIONS_OF_SETUP = re.compile(r"(?:install|setup|tests)_requires?", re.IGNORECASE)
_NPM_ALIAS = re.compile(r"npm:(@?[^@]{1,214})")
_NPM_SHORTHAND = re.compile(r"(?:\w{1,20}:)?([\w.-]{1,100}/[\w.-]{1,100})(?:#.*)?")
_GO_MAJOR = re.compile(r"(?:/v\d+|\.v\d+)$")
_GO_LINE = re.compile(r"(?:require|tool)?\s*\(?\s*([\w.~-]{1,100}(?:/[\w.~-]{1,100}){0,20})(?:\s+v\d\S{0,200})?")
_GO_BLOCK = re.compile(r"(?:(require|replace|tool)|exclude|retract|godebug|ignore|module|go|toolchain)(?=[\s(])")
_GEM = re.compile(
    r"^[ \t]*gem[ \t(]+[\"']([\w.-]{1,100})[\"']|\.add_(?:\w{1,20}_)?dependency[ \t(]+[\"']([\w.-]{1,100})[\"']",
    re.MULTILINE,
)
_GRADLE = re.compile(
    r"(?:(?P<quote>[\"'])(?P<name>[\w.-]{2,100}:[\w.-]{1,100})(?::[^\"'\n]{0,100})?(?P=quote))"
    r"|\bgroup\s{0,3}[:=]\s{0,3}[\"'](?P<group>[\w.-]{1,100})[\"']\s{0,20},\s{0,20}name\s{0,3}[:=]\s{0,3}[\"'](?P<artifact>[\w.-]{1,100})"
    r"|\bid[ \t(]{1,3}[\"'](?P<plugin>[\w.-]{1,100})[\"']"
    r"|\b(?P<catalog>libs\.[\w.]{1,100})"
)


def manifest_names(path: str, text: str) -> frozenset[str] | None:
    """In the form in which one package has one name. Empty for what is no manifest; None for what cannot be read."""
    read = _reader(path.rpartition("/")[2].lower(), path.lower())
    if read is None or not text:
        return frozenset()
    try:
        return frozenset(name.lower() for name in read(text))
    except (ValueError, RecursionError, configparser.Error, expat.ExpatError):
        return None


def _reader(name: str, path: str) -> Callable[[str], Iterator[str]] | None:
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name.endswith((".txt", ".in")) and ("requirements" in path or name.startswith("constraints")):
        return _requirements
    return next((read for end, read in _BY_END.items() if name.endswith(end)), None)


def _requirements(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        yield from _requirement(line.strip())


def _requirement(line: str) -> Iterator[str]:
    found = _EGG.search(line) or (_WHEEL.search(line) if "://" in line else None)
    if found is None and not line.startswith(("#", "-")) and "://" not in line.partition("@")[0]:
        found = _PYTHON_NAME.match(line)
    if found is not None:
        yield re.sub(r"[-_.]+", "-", found[1])


def _setup(text: str) -> Iterator[str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    for section in parser.sections():
        for option, value in parser.items(section):
            if _OPTIONS_OF_SETUP.fullmatch(option) or section == "options.extras_require":
                yield from _requirements(value)


def _toml(text: str) -> Iterator[str]:
    yield from _tables(tomllib.loads(text))


def _pipfile(text: str) -> Iterator[str]:
    content = tomllib.loads(text)
    for section in ("packages", "dev-packages"):
        yield from _asked(content.get(section))


def _catalog(text: str) -> Iterator[str]:
    """Gradle's `libs.versions.toml`: aliases are names, and so is what they stand for."""
    content = tomllib.loads(text)
    for section in ("libraries", "plugins"):
        for alias, value in _items(content.get(section)):
            yield alias
            fields = dict(_items(value))
            stands_for = (
                value if isinstance(value, str) else fields.get("module") or fields.get("name") or fields.get("id")
            )
            yield ":".join(str(stands_for or alias).split(":")[:2])


def _tables(content: object) -> Iterator[str]:
    for key, value in _items(content):
        if key.endswith("dependencies") or key in {"requires", "dependency-groups"}:
            yield from _asked(value)
        else:
            yield from _tables(value)


def _asked(value: object) -> Iterator[str]:
    """A list of requirements, a table of such lists, or a table whose keys are the names."""
    for requirement in _strings(value):
        yield from _requirement(requirement)
    for key, entry in _items(value):
        if _is_group(entry):
            yield from _asked(entry)
        elif key.lower() != "python":
            yield re.sub(r"[-_.]+", "-", str(dict(_items(entry)).get("package") or key))


def _is_group(entry: object) -> bool:
    """Whether a key is no package's name, but that of a list of requirements."""
    if not isinstance(entry, list):
        return False
    return all(isinstance(one, str) or "include-group" in dict(_items(one)) for one in cast("list[object]", entry))


def _strings(value: object) -> list[str]:
    return [one for one in cast("list[object]", value) if isinstance(one, str)] if isinstance(value, list) else []


def _items(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from cast("dict[str, object]", value).items()


def _package_json(text: str) -> Iterator[str]:
    for key, section in _items(json.loads(text)):
        if key.endswith("ependencies") or key in {"overrides", "resolutions"}:
            yield from _strings(section)
            for name, version in _items(section):
                yield name
                yield from _other_package(version)


def _other_package(version: object) -> Iterator[str]:
    """A version may name another package than its key: `npm:other@1`, `owner/repository`."""
    found = (_NPM_ALIAS.match(version) or _NPM_SHORTHAND.fullmatch(version)) if isinstance(version, str) else None
    if found is not None:
        yield found[1]


def _composer(text: str) -> Iterator[str]:
    content = dict(_items(json.loads(text)))
    for section in ("require", "require-dev"):
        yield from (name for name, _ in _items(content.get(section)))


def _go(text: str) -> Iterator[str]:
    """A major version is a part of a module's path."""
    block = ""
    for line in (line.partition("//")[0].strip() for line in text.splitlines()):
        opened = _GO_BLOCK.match(line)
        block = (opened[1] or "other") if opened else block
        found = _GO_LINE.match(line.rpartition("=>")[2].strip() if block == "replace" else line)
        if found is not None and block in {"require", "replace", "tool"} and "." in found[1].partition("/")[0]:
            yield _GO_MAJOR.sub("", found[1])
        block = block if line.endswith("(") or not opened else ""
        block = "" if line == ")" else block


def _gems(text: str) -> Iterator[str]:
    yield from (found[1] or found[2] for found in _GEM.finditer(text))


def _gradle(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.lstrip().startswith(("//", "*", "/*")):
            yield from map(_gradle_name, _GRADLE.finditer(line))


def _gradle_name(found: re.Match[str]) -> str:
    if found["group"]:
        return f"{found['group']}:{found['artifact']}"
    return found["name"] or found["plugin"] or found["catalog"].removesuffix(".get")


_BY_NAME: Mapping[str, Callable[[str], Iterator[str]]] = {
    "pyproject.toml": _toml,
    "cargo.toml": _toml,
    "pipfile": _pipfile,
    "setup.cfg": _setup,
    "package.json": _package_json,
    "composer.json": _composer,
    "go.mod": _go,
    "pom.xml": maven_names,
    "gemfile": _gems,
    "libs.versions.toml": _catalog,
    "packages.config": nuget_names,
}
_BY_END: Mapping[str, Callable[[str], Iterator[str]]] = {
    ".gradle": _gradle,
    ".gradle.kts": _gradle,
    ".gemspec": _gems,
    ".csproj": nuget_names,
    ".fsproj": nuget_names,
    ".vbproj": nuget_names,
    ".props": nuget_names,
    ".targets": nuget_names,
}
