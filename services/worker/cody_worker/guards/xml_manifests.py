"""The names in manifests that are XML: of Maven and of NuGet."""

from collections.abc import Iterator, Mapping
from xml.parsers import expat

_MAVEN = frozenset({"dependency", "plugin", "parent", "extension", "path"})
_NUGET = {
    "PackageReference": "Include",
    "PackageVersion": "Include",
    "GlobalPackageReference": "Include",
    "package": "id",
}


def maven_names(text: str) -> Iterator[str]:
    """`group:artifact`; what is only excluded is not asked for. A plugin without a group is Maven's own."""
    reader = _Maven()
    _parse(text, reader)
    yield from reader.names


def nuget_names(text: str) -> Iterator[str]:
    reader = _NuGet()
    _parse(text, reader)
    yield from reader.names


class _NuGet:
    def __init__(self) -> None:
        self.names: list[str] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = attributes.get(_NUGET.get(tag, ""))
        self.names += [name] if name else []

    def end(self, _tag: str) -> None: ...

    def text(self, _text: str) -> None: ...


class _Maven:
    """`_open` has a field for each element around: what its own `groupId` and `artifactId` say."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._open: list[tuple[str, dict[str, str]]] = []

    def start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        self._open.append((tag, {}))

    def text(self, text: str) -> None:
        if len(self._open) > 1:
            tag, fields = self._open[-1][0], self._open[-2][1]
            if tag in {"groupId", "artifactId"}:
                fields[tag] = fields.get(tag, "") + text

    def end(self, tag: str) -> None:
        _, fields = self._open.pop()
        if tag in _MAVEN and "artifactId" in fields:
            self.names.append(":".join(fields.get(key, "").strip() for key in ("groupId", "artifactId")).lstrip(":"))


def _parse(text: str, reader: _Maven | _NuGet) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = _refuse
    parser.Parse(text, True)  # noqa: FBT003 (positional only)


def _refuse(*_: object) -> None:
    """Entities can grow without bound, and no manifest needs its own."""
    raise ValueError("it declares entities")
