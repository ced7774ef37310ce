"""One line of each file."""

import io
import tokenize

from evals.migration import Files, Migration, each_file
from evals.sources import package_files

_OLD, _NEW = "http://aws.amazon.com/apache2.0/", "https://aws.amazon.com/apache2.0/"


def _repositories() -> dict[str, Files]:
    return {"one-line": package_files("awscli", "customizations/*.py", limit=20)}


def _right(data: bytes) -> bytes:
    """By Python's own tokenizer: the address in comments."""
    lines = data.decode().splitlines(keepends=True)
    for token in tokenize.tokenize(io.BytesIO(data).readline):
        if token.type == tokenize.COMMENT and _OLD in token.string:
            row = token.start[0] - 1
            lines[row] = lines[row].replace(_OLD, _NEW)
    return "".join(lines).encode()


ONE_LINE = Migration(
    name="one-line",
    hard="one line in each file",
    prompt=f"In the licence comment, the address {_OLD} becomes {_NEW}. Change nothing else.",
    repositories=_repositories,
    oracle=each_file(_right, ".py"),
    good=lambda _, text: text.replace(_OLD, _NEW),
    changes=15,
    match=r"http://aws\.amazon\.com/apache2\.0/",
)
