"""Files of every encoding and line ending through the whole system: what is asked for changes, nothing else, and what
cannot be edited safely is skipped and counted."""

from pathlib import Path

from cody_stand_ins.claude import ClaudeStandIn
from tests.story.conftest import environment_for
from tests.story.library_repositories import git
from tests.story.system import running_system
from tests.support.repositories import EXECUTABLE, LINK, Entry, make_repository

PROMPT = 'Replace "OLD" with "NEW"'
TEXTS = {
    "lf.txt": b"one\nOLD two\nthree\n",
    "crlf.txt": b"one\r\nOLD two\r\nthree\r\n",
    "mixed.txt": b"one\r\nOLD two\nthree\rfour\r\n\nfive",
    "bom.txt": b"\xef\xbb\xbfOLD one\r\n",
    "utf16le.txt": b"\xff\xfe" + "é OLD 漢\r\n".encode("utf-16-le"),
    "utf16be.txt": b"\xfe\xff" + "é OLD 漢\n".encode("utf-16-be"),
    "latin1.txt": b"caf\xe9 OLD \xff\x80\n",
    "no-final-newline.txt": b"one\nOLD",
    "only.txt": b"OLD",
    "two  spaces, a 'quote' and é.txt": b"  OLD  \t\n\n\n",
}
SKIPPED = {
    "empty.txt": b"",
    "large.txt": b"OLD " * 512 * 1024,
    "binary.bin": b"\x00\x01OLD\xff",
    "node_modules/x/index.js": b"OLD\n",
    "package-lock.json": b'{"a": "OLD"}\n',
}


async def test_every_byte_that_is_not_edited_stays(
    tmp_path: Path, database_url: str, stand_in: ClaudeStandIn, repositories: Path
) -> None:
    files = {path.encode(): Entry(content) for path, content in (TEXTS | SKIPPED).items()}
    files[b"run.sh"] = Entry(b"#!/bin/sh\r\necho OLD\r\n", EXECUTABLE)
    files[b"link"] = Entry(b"OLD.txt", LINK)
    source = make_repository(repositories / "acme" / "corpus", files)
    async with running_system(tmp_path, environment_for(database_url, stand_in, repositories)) as system:
        job = await system.ended(await system.submit(["acme/corpus"], PROMPT))
        run = await system.run(job["id"], "acme/corpus")
        patch = await system.diff(job["id"], "acme/corpus")
    assert (run["outcome"], run["files"]["edited"]) == ("patch", len(TEXTS) + 1)
    assert run["files"]["skipped"] == {
        "binary": 1,
        "empty": 1,
        "generated": 1,
        "symlink": 1,
        "too_large": 1,
        "vendored": 1,
    }
    clone = tmp_path / "clone"
    git(tmp_path, "-c", "core.autocrlf=false", "clone", "--quiet", str(source.path), str(clone))
    git(clone, "apply", "--index", stdin=patch)
    for path, content in TEXTS.items():
        assert (clone / path).read_bytes() == renewed(content), path
    for path, content in SKIPPED.items():
        assert (clone / path).read_bytes() == content, path
    assert (clone / "run.sh").read_bytes() == b"#!/bin/sh\r\necho NEW\r\n"
    assert (clone / "run.sh").stat().st_mode & 0o111
    assert (clone / "link").readlink() == Path("OLD.txt")


def renewed(content: bytes) -> bytes:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if content.startswith(mark):
            return content.replace("OLD".encode(encoding), "NEW".encode(encoding))
    return content.replace(b"OLD", b"NEW")
