"""Repositories made to hang, fill, crash or take over whoever opens them: each ends in one clear error, or is read as
harmlessly as any other, and the worker's own loop never notices."""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import zlib
from pathlib import Path

import msgspec
import psutil
import pytest

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.outcomes import RunPatch
from cody_worker.git.limits import GitLimits
from cody_worker.git.scope import ScopeRules
from tests.support.clone_to_small_disk import Report
from tests.support.git_children import EVERYTHING, GitWork, commit
from tests.support.git_http import GitHost
from tests.support.repositories import FOLDER, LINK, REGULAR, Entry, GitFailed, GitRepository, make_repository

HARMLESS = {"a.py": b"one\n"}


async def work_on(git_work: GitWork, path: Path, limits: GitLimits | None = None) -> RunPatch:
    """Everything that a worker does with a repository, every candidate edited. Nothing is left behind."""
    try:
        async with git_work.open(path, limits) as repository:
            await repository.checkout()
            scope = await repository.scope(EVERYTHING)
            changes = {file.path: await repository.read_file(file.path) + b"more\n" for file in scope.candidates}
            return await commit(repository, changes)
    finally:
        assert not list(git_work.scratch.iterdir())
        assert not [child for child in psutil.Process().children(recursive=True) if child.status() == "zombie"]


async def failure(git_work: GitWork, path: Path, limits: GitLimits | None = None) -> JobFailed:
    with pytest.raises(JobFailed) as caught:
        await work_on(git_work, path, limits)
    return caught.value


def nest(repository: GitRepository, levels: int, width: int = 1) -> bytes:
    """A tree of folders in folders, each of them `width` times the same; `width ** levels` files."""
    file = repository.write_object("blob", b"one\n")
    tree = repository.write_tree({b"f%d" % number: (REGULAR, file) for number in range(width)})
    for _ in range(levels - 1):
        tree = repository.write_tree({b"d%d" % number: (FOLDER, tree) for number in range(width)})
    return tree


@pytest.mark.parametrize("kept", [20, 0.5])
async def test_a_blob_that_makes_libgit2_loop_for_ever(git_work: GitWork, tmp_path: Path, kept: float) -> None:
    source = make_repository(tmp_path / "source")
    content = random.Random(1).randbytes(20_000).hex().encode()
    blob = source.write_object("blob", content)
    source.commit_tree(source.write_tree({b"a.py": (REGULAR, blob)}))
    file = source.object_file(blob.hex())
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept if kept > 1 else len(whole) * kept)])

    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    counting = asyncio.create_task(count_turns())
    error = await failure(git_work, source.path, git_work.limits(seconds=0.5))
    counting.cancel()

    assert error.code in {FailureCode.REPOSITORY_TOO_SLOW, FailureCode.REPOSITORY_UNREADABLE}
    assert kept == 20 or error.code == FailureCode.REPOSITORY_TOO_SLOW
    assert turns > 5 or error.code != FailureCode.REPOSITORY_TOO_SLOW


async def test_a_tree_that_repeats_itself(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source")
    source.commit_tree(nest(source, levels=8, width=10))

    error = await failure(git_work, source.path)

    assert (error.code, error.retryable) == (FailureCode.REPOSITORY_TOO_LARGE, False)
    assert "more than 1,000,000 files and folders" in error.message


async def test_more_files_than_anybody_would_pay_for(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source")
    source.commit_tree(nest(source, levels=3, width=10))

    with pytest.raises(JobFailed, match="more than 999 files would be asked about") as caught:
        await git_work.scope(source.path, ScopeRules(max_candidates=999))

    assert caught.value.code == FailureCode.REPOSITORY_TOO_LARGE
    assert (await git_work.scope(source.path, ScopeRules(max_candidates=1_000))).counts.candidates == 1_000


async def test_folders_three_thousand_levels_deep(git_work: GitWork, tmp_path: Path) -> None:
    """What lies as deep as a path may be long is edited like any other file; what lies deeper is skipped."""
    source = make_repository(tmp_path / "source")
    file = source.write_object("blob", b"one\n")
    deepest = (4_095 - len("f.py")) // len("d/")
    tree = nest(source, levels=3_000 - deepest)
    tree = source.write_tree({b"d": (FOLDER, tree), b"f.py": (REGULAR, file)})
    for _ in range(deepest):
        tree = source.write_tree({b"d": (FOLDER, tree)})
    source.commit_tree(tree)

    scope = await git_work.scope(source.path)
    patch = await work_on(git_work, source.path)

    assert [file.path for file in scope.candidates] == ["d/" * deepest + "f.py"]
    assert scope.counts.skipped == {"unsafe_path": 1}
    assert patch.files_changed == 1
    assert b"+++ b/" + b"d/" * deepest + b"f.py\n" in patch.patch


@pytest.mark.parametrize("kind", ["tree", "commit"])
async def test_an_object_that_inflates_beyond_the_memory(git_work: GitWork, tmp_path: Path, kind: str) -> None:
    source = make_repository(tmp_path / "source")
    size = 200 << 20
    if kind == "tree":
        bomb = source.write_object("tree", bytes(size))
        source.commit_tree(bomb)
    else:
        tree = source.write_tree({b"a.py": (REGULAR, source.write_object("blob", b"one\n"))})
        text = b"tree %s\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\n" % tree.hex().encode()
        bomb = source.write_object("commit", text + bytes(size))
        source.path.joinpath("refs/heads/main").write_text(bomb.hex() + "\n")

    error = await failure(git_work, source.path, git_work.limits(memory_mb=100))

    assert (error.code, error.retryable) == (FailureCode.REPOSITORY_TOO_LARGE, False)
    assert "GIT_MEMORY_MB" in error.message


async def test_a_blob_that_inflates_is_skipped_unread(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source")
    bomb = source.write_object("blob", bytes(200 << 20))
    source.commit_tree(source.write_tree({b"a.py": (REGULAR, bomb)}))

    scope = await git_work.scope(source.path, limits=git_work.limits(memory_mb=64))

    assert scope.counts.skipped == {"too_large": 1}


async def test_a_blob_that_lies_about_its_size(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source")
    blob = source.write_object("blob", b"one\n")
    source.commit_tree(source.write_tree({b"a.py": (REGULAR, blob)}))
    source.object_file(blob.hex()).write_bytes(zlib.compress(b"blob 10\0" + bytes(200 << 20), 1))

    error = await failure(git_work, source.path, git_work.limits(memory_mb=64))

    assert error.code == FailureCode.REPOSITORY_UNREADABLE


async def test_names_that_lead_out_of_a_work_tree_are_never_edited(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source")
    file = source.write_object("blob", b"one\n")
    inside = source.write_tree({b"config": (REGULAR, file), b"passwd": (REGULAR, file)})
    names = [b"..", b".", b".git", b".GIT", b"git~1", b".git ", b".git...", ".g\u200cit".encode(), b"fine"]
    source.commit_tree(source.write_tree(dict.fromkeys(names, (FOLDER, inside))))

    scope = await git_work.scope(source.path)

    assert [file.path for file in scope.candidates] == ["fine/config", "fine/passwd"]
    assert scope.counts.skipped == {"unsafe_path": 16}


async def test_a_link_out_of_the_repository_is_not_followed(git_work: GitWork, tmp_path: Path) -> None:
    files = {b"a.py": b"one\n", b"passwd": Entry(b"/etc/passwd", LINK), b"etc": Entry(b"/etc", LINK)}
    source = make_repository(tmp_path / "source", files)

    patch = await work_on(git_work, source.path)

    assert b"root:" not in patch.patch
    assert patch.files_changed == 1


@pytest.mark.parametrize("bare", [True, False])
async def test_nothing_that_a_repository_brings_along_is_run_or_obeyed(
    git_work: GitWork, tmp_path: Path, *, bare: bool
) -> None:
    files = {**HARMLESS, ".gitattributes": b"* filter=evil diff=evil merge=evil text eol=crlf\n"}
    tame = await work_on(git_work, make_repository(tmp_path / "tame", files).path)
    source = make_repository(tmp_path / "source", files, bare=bare)
    canary = tmp_path / "canary"
    plant(source, canary, tmp_path)

    patch = await work_on(git_work, source.path)

    assert not canary.exists()
    assert patch == tame
    if not bare:
        with contextlib.suppress(GitFailed):
            source.git("commit", "-q", "--allow-empty", "-m", "x")
        assert canary.exists(), "git itself would have run it"


def plant(source: GitRepository, canary: Path, folder: Path) -> None:
    """Everything by which a repository's own files can make git run or read something."""
    program = folder / "evil"
    program.write_text(f"#!/bin/sh\ntouch '{canary}'\n")
    program.chmod(0o755)
    hooks = source.git_folder / "hooks"
    for hook in ("pre-commit", "post-checkout", "reference-transaction", "fsmonitor-watchman", "post-index-change"):
        (hooks / hook).write_text(program.read_text())
        (hooks / hook).chmod(0o755)
    included = folder / "included"
    included.write_text("[diff]\n\tnoprefix = true\n[core]\n\tabbrev = 7\n")
    commands = (
        "core.fsmonitor core.sshCommand core.editor core.pager core.askPass core.alternateRefsCommand core.gitProxy "
        "filter.evil.clean filter.evil.smudge filter.evil.process diff.evil.command diff.evil.textconv diff.external "
        "merge.evil.driver credential.helper gpg.program uploadpack.packObjectsHook interactive.diffFilter"
    )
    for name in commands.split():
        source.git("config", name, str(program))
    source.git("config", "include.path", str(included))
    for name, value in {
        "core.hooksPath": str(hooks),
        "core.attributesFile": str(folder / "attributes"),
        "core.autocrlf": "true",
        "diff.mnemonicPrefix": "true",
        "diff.context": "0",
        "commit.gpgSign": "false",
        "user.name": "Evil",
        "i18n.commitEncoding": "latin-1",
    }.items():
        source.git("config", name, value)
    (folder / "attributes").write_text("* binary\n")


@pytest.mark.parametrize(
    "config",
    [
        "[core\n",
        "\0" * 1_000,
        "[core]\n\tbare = maybe\n",
        "[extensions]\n\tevil = true\n",
        "[include]\n\tpath = config\n",
    ],
)
async def test_a_configuration_that_makes_no_sense(git_work: GitWork, tmp_path: Path, config: str) -> None:
    source = make_repository(tmp_path / "source", HARMLESS)
    with (source.path / "config").open("a") as file:
        file.write("[core]\n\trepositoryformatversion = 1\n" + config)

    await ends_well_or_clearly(git_work, source.path)


async def test_a_configuration_that_never_ends(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", HARMLESS)
    os.mkfifo(tmp_path / "fifo")
    source.git("config", "include.path", str(tmp_path / "fifo"))

    await ends_well_or_clearly(git_work, source.path)


@pytest.mark.parametrize("name", ["HEAD", "packed-refs", "config"])
async def test_a_file_of_git_that_never_ends(git_work: GitWork, tmp_path: Path, name: str) -> None:
    source = make_repository(tmp_path / "source", HARMLESS)
    source.path.joinpath(name).unlink(missing_ok=True)
    source.path.joinpath(name).symlink_to("/dev/zero")

    await ends_well_or_clearly(git_work, source.path)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "ref: ",
        "ref: ../../../etc/passwd",
        "ref: refs/heads/../../../x",
        "ref: HEAD",
        "0" * 40,
        "f" * 40,
        "\xff" * 99,
    ],
)
async def test_a_head_that_points_nowhere(git_work: GitWork, tmp_path: Path, head: str) -> None:
    source = make_repository(tmp_path / "source", HARMLESS)
    source.path.joinpath("HEAD").write_text(head + "\n")

    error = await failure(git_work, source.path)

    assert error.code in {
        FailureCode.REPOSITORY_EMPTY,
        FailureCode.REPOSITORY_NOT_FOUND,
        FailureCode.REPOSITORY_UNREADABLE,
    }


async def test_references_that_go_round_in_circles(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", HARMLESS)
    heads = source.path / "refs" / "heads"
    (heads / "a").write_text("ref: refs/heads/b\n")
    (heads / "b").write_text("ref: refs/heads/a\n")
    source.path.joinpath("HEAD").write_text("ref: refs/heads/a\n")

    assert (await failure(git_work, source.path)).code in {
        FailureCode.REPOSITORY_EMPTY,
        FailureCode.REPOSITORY_UNREADABLE,
    }


async def test_alternates_that_go_round_in_circles(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", HARMLESS)
    alternates = source.path / "objects" / "info" / "alternates"
    alternates.write_text(f"{source.path}/objects\n../objects\n/dev/zero\n/nowhere\n")

    assert (await work_on(git_work, source.path)).files_changed == 1


@pytest.mark.parametrize("seed", range(12))
async def test_damage_anywhere_in_a_pack(git_work: GitWork, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    files = {f"f{number}.py": chance.randbytes(500).hex().encode() + b"\n" for number in range(150)}
    source = make_repository(tmp_path / "source", files)
    kind = ".idx" if seed % 3 == 0 else ".pack"
    (pack,) = (source.path / "objects" / "pack").glob(f"*{kind}")
    data = bytearray(pack.read_bytes())
    for _ in range(20):
        data[chance.randrange(len(data))] = chance.randrange(256)
    pack.chmod(0o644)
    pack.write_bytes(data[: len(data) // 2] if seed % 4 == 3 else data)

    await ends_well_or_clearly(git_work, source.path)


async def ends_well_or_clearly(git_work: GitWork, path: Path) -> None:
    """What libgit2 makes of it is its business; ours is that it ends, with a reason that is about the repository."""
    code = "patch"
    try:
        await work_on(git_work, path, git_work.limits(seconds=1, memory_mb=256))
    except JobFailed as error:
        code = error.code
    assert code == "patch" or code.startswith("repository_")


def test_the_child_has_no_secrets_in_its_environment() -> None:
    program = "import os; from cody_worker.git.child import drop_environment; drop_environment(); print(*os.environ)"
    environment = {
        "PATH": os.environ["PATH"],
        "CLAUDE_API_KEY": "x",
        "DATABASE_URL": "x",
        "HTTPS_PROXY": "x",
        "HOME": "/",
    }

    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)

    assert set(done.stdout.decode().split()) == {"PATH", "HTTPS_PROXY"}


async def test_a_disk_that_is_full_while_cloning(tmp_path: Path) -> None:
    """On a file system of 1 MB, mounted where only the cloning process can see it."""
    files = {f"f{number}": random.Random(number).randbytes(20_000) for number in range(150)}
    make_repository(tmp_path / "host" / "name", files)
    disk = tmp_path / "disk"
    disk.mkdir()
    if not may_mount(disk):
        pytest.skip("mounting in a namespace of one's own is not permitted here")
    with GitHost(tmp_path / "host").serve() as host:
        report = await asyncio.to_thread(clone_to_small_disk, host.url("name"), disk)

    assert (report.code, report.retryable, report.left) == (FailureCode.DISK_FULL, True, [])
    assert "no room is left on the worker's disk" in report.message


MOUNT = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"'


def unshared(disk: Path, *command: str) -> "subprocess.CompletedProcess[bytes]":
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    arguments = ["unshare", "--mount", *as_root, "sh", "-c", MOUNT, str(disk), *command]
    return subprocess.run(arguments, capture_output=True)


def may_mount(disk: Path) -> bool:
    try:
        return unshared(disk, "true").returncode == 0
    except FileNotFoundError:
        return False


def clone_to_small_disk(url: str, disk: Path) -> Report:
    done = unshared(disk, sys.executable, "-m", "tests.support.clone_to_small_disk", url, str(disk))
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=Report)
