"""GitHub's published description of its REST interface: fetched, and asked for the operation of a call."""

import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

_PACKAGE = "@octokit/openapi"
_FILE = "package/generated/api.github.com.json"
_REST_OF_PATH = frozenset({"{path}", "{ref}", "{branch}"})
"""Parameters that may have slashes."""

Schema = Mapping[str, Any]


class Operation(Struct, frozen=True, kw_only=True):
    """`template`: the path with its parameters in braces."""

    template: str
    method: str
    parameters: Sequence[Schema]
    body: Schema | None
    answers: Mapping[str, Schema]

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"


def fetch_description(folder: Path) -> Path:
    """From npm's registry, by npm's own settings, into the folder."""
    asked = ["npm", "pack", _PACKAGE, "--silent", "--pack-destination", str(folder)]
    subprocess.run(asked, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    package = next(folder.glob("*.tgz"))
    with tarfile.open(package) as archive:
        archive.extract(_FILE, folder, filter="data")
    return folder / _FILE


class Description:
    def __init__(self, document: Schema) -> None:
        self.document = document
        self._paths = [(template, template.split("/")[1:]) for template in document["paths"]]

    def operation(self, method: str, path: str) -> Operation | None:
        """The one that fits best: with the most segments, then with the fewest parameters."""
        segments = [unquote(part) for part in path.split("/")[1:]]
        fitting = [template for template, pattern in self._paths if _fits(pattern, segments)]
        for template in sorted(fitting, key=lambda one: (-one.count("/"), one.count("{"))):
            item = self.document["paths"][template]
            if method.lower() in item:
                return self._operation(template, method, item)
        return None

    def resolve(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            found: Any = self.document
            for part in str(schema["$ref"]).split("/")[1:]:
                found = found[part]
            schema = found
        return schema

    def _operation(self, template: str, method: str, item: Schema) -> Operation:
        found = item[method.lower()]
        parameters = [*item.get("parameters", ()), *found.get("parameters", ())]
        return Operation(
            template=template,
            method=method,
            parameters=[self.resolve(one) for one in parameters],
            body=self.resolve(found["requestBody"]) if "requestBody" in found else None,
            answers={status: self.resolve(answer) for status, answer in found["responses"].items()},
        )


def read_description(file: Path) -> Description:
    return Description(msgspec.json.decode(file.read_bytes()))


def _fits(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    if pattern[-1] in _REST_OF_PATH and len(segments) > len(pattern):
        segments = [*segments[: len(pattern) - 1], "rest"]
    if len(pattern) != len(segments):
        return False
    return all(
        part == found or (part.startswith("{") and bool(found)) for part, found in zip(pattern, segments, strict=True)
    )
