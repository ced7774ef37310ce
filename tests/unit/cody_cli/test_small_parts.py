"""Patches as files, the stack's settings, progress, words."""

import os
import socket
from pathlib import Path

import msgspec
import pytest

from cody_cli.data_folder import AlreadyRunning, DataFolder, Serving
from cody_cli.event_lines import describe
from cody_cli.failures import BadInput, CommandFailed
from cody_cli.patches import PatchFolder
from cody_cli.progress import JobProgress, State
from cody_cli.stack_plan import limit_concurrency, plan_for_run, plan_for_up
from cody_cli.words import count, dollars, duration
from cody_jobs.events import DispatchDelayed, Event
from tests.unit.cody_cli import samples


def test_two_repositories_never_share_a_patch_file(tmp_path: Path) -> None:
    folder = PatchFolder(tmp_path / "out")
    names = [folder.write(name, name.encode()).name for name in ("a__b/c", "a/b__c", "A/b__C", "x/y")]
    assert names == ["a__b__c.patch", "a__b__c-2.patch", "A__b__C-3.patch", "x__y.patch"]
    assert (tmp_path / "out" / "a__b__c-2.patch").read_bytes() == b"a/b__c"
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CommandFailed, match="file") as failed:
        PatchFolder(tmp_path / "file").write("a/b", b"")
    assert failed.value.hint == "choose another folder with --out"


@pytest.mark.parametrize("calls", [1, 2, 3, 7, 8, 9, 16, 31, 64, 1000, 4096])
@pytest.mark.parametrize("repositories", [1, 8, 9, 100, 10_000])
def test_no_more_calls_than_asked_for_are_possible(calls: int, repositories: int) -> None:
    limits = limit_concurrency(calls, repositories, {})
    workers, files = int(limits["WORKERS_AT_ONCE"]), int(limits["FILES_AT_ONCE"])
    assert workers >= 1
    assert 1 <= files <= 256
    assert workers * files <= calls


def test_one_repository_gets_all_calls_in_one_worker() -> None:
    assert limit_concurrency(64, 1, {}) == {"WORKERS_AT_ONCE": "1", "FILES_AT_ONCE": "64"}


def test_a_taken_port_is_replaced_unless_it_was_asked_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environment = {"CODY_DATA": str(tmp_path)}
        with pytest.raises(BadInput, match=f"port {port} is taken by another program") as failed:
            plan_for_up({**environment, "API_PORT": port}, plain_logs=False, port_patience=0)
        assert f"lsof -i :{port}" in str(failed.value.hint)
    with pytest.raises(BadInput, match="API_PORT: 'http' is not a port"):
        plan_for_up({**environment, "API_PORT": "http"}, plain_logs=False)
    assert plan_for_up(environment, plain_logs=True).environment["LOG_FORMAT"] == "plain"


def test_a_port_that_was_asked_for_is_waited_for_and_it_is_said_for_whom(tmp_path: Path) -> None:
    """The api of an earlier start ends as soon as somebody says that it is waited for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, said = str(taken.getsockname()[1]), list[str]()

        def end_it(line: str) -> None:
            said.append(line)
            taken.close()

        write_api_file(tmp_path, port)
        environment = {"CODY_DATA": str(tmp_path), "API_PORT": port}
        plan = plan_for_up(environment, plain_logs=False, say=end_it, port_patience=60)
    assert plan.url == f"http://127.0.0.1:{port}"
    whom = f"the api of an earlier start (process {os.getpid()})"
    assert said == [f"port {port} (API_PORT) is taken: waiting up to 60 s for {whom} to end"]


def test_an_earlier_api_that_keeps_its_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        write_api_file(tmp_path, port)
        with pytest.raises(BadInput, match=f"process {os.getpid()}, which does not end"):
            plan_for_up({"CODY_DATA": str(tmp_path), "API_PORT": port}, plain_logs=False, port_patience=0)


def test_the_port_of_a_system_that_is_alive_is_not_waited_for(tmp_path: Path) -> None:
    """The folder's lock says better who has it."""
    data = DataFolder({"CODY_DATA": str(tmp_path)})
    with socket.create_server(("127.0.0.1", 0)) as taken, data.lock():
        port = str(taken.getsockname()[1])
        plan_for_up({"CODY_DATA": str(tmp_path), "API_PORT": port}, plain_logs=False, port_patience=0)
        with pytest.raises(AlreadyRunning), DataFolder({"CODY_DATA": str(tmp_path)}).lock():
            pass


def write_api_file(data: Path, port: str) -> None:
    serving = Serving(url=f"http://127.0.0.1:{port}", pid=os.getpid())
    (data / "api.json").write_bytes(msgspec.json.encode(serving))


def test_what_was_set_is_kept_and_local_repositories_are_always_allowed(tmp_path: Path) -> None:
    environment = {"CODY_DATA": str(tmp_path), "ALLOWED_REPOSITORIES": "acme/*", "OTHER": "x"}
    plan = plan_for_run(environment, local=True)
    assert plan.environment["ALLOWED_REPOSITORIES"] == "acme/*,local/*"
    assert plan.environment["OTHER"] == "x"
    assert plan.environment["REPOSITORIES_ROOT"] == str(tmp_path / "repositories")
    assert plan_for_run(environment, local=False).environment["ALLOWED_REPOSITORIES"] == "acme/*"


def test_one_stack_at_a_time_and_the_second_says_where_the_first_is(tmp_path: Path) -> None:
    first, second = (DataFolder({"CODY_DATA": str(tmp_path / "data")}) for _ in range(2))
    with first.lock():
        first.write_serving(Serving(url="http://127.0.0.1:1", pid=os.getpid()))
        with pytest.raises(AlreadyRunning, match=r"serves at http://127\.0\.0\.1:1"), second.lock():
            pass
    with second.lock():
        pass


def test_progress_follows_the_events() -> None:
    progress = JobProgress("job-1", ["a/b", "c/d"])
    chosen = {
        "examined": 3,
        "candidates": 2,
        "edited": 0,
        "unchanged": 0,
        "failed": 0,
        "reused": 0,
        "skipped": {"binary": 1},
    }
    file = {"repository": "a/b", "path": "x", "detail": None, "reused": False}
    events = [
        samples.event(1, "run_started", repository="a/b", attempt=1),
        samples.event(2, "files_chosen", repository="a/b", files=chosen),
        samples.event(3, "file_done", **file, result="edited", costMicrousd=10),
        samples.event(4, "file_done", **file, result="failed", costMicrousd=5),
    ]
    for event in events:
        progress.apply(msgspec.convert(event, Event))
    web = progress.repository("a/b")
    assert (web.state, web.done, web.candidates, web.edited, web.failed) == (State.ASKING, 2, 2, 1, 1)
    assert (progress.cost, progress.last_event) == (15, 4)
    progress.apply(msgspec.convert(samples.event(5, "run_returned", repository="a/b", reason="gone"), Event))
    progress.apply(msgspec.convert(events[0] | {"id": 6}, Event))
    assert (web.state, web.done, web.cost) == (State.LOOKING, 0, 15)
    progress.apply(msgspec.convert(samples.event(7, "job_finished", status="CANCELLED", failure=None), Event))
    assert [repository.state for repository in progress.repositories] == [State.CANCELLED, State.CANCELLED]


def test_a_dispatch_that_waits_says_for_what() -> None:
    assert describe(DispatchDelayed(reason="AWS Batch: away")) == "no workers yet, goes on being tried: AWS Batch: away"


def test_words() -> None:
    assert [dollars(amount) for amount in (0, 12, 12_345, 1_999_999)] == ["$0", "<$0.0001", "$0.0123", "$2.00"]
    assert [duration(seconds) for seconds in (None, 0.0001, 0.25, 61.0, 125, 7_260)] == [
        "",
        "<1 ms",
        "250 ms",
        "61.0 s",
        "2:05 min",
        "2:01 h",
    ]
    assert [count(1, "patch", "patches"), count(2, "patch", "patches"), count(2, "file")] == [
        "1 patch",
        "2 patches",
        "2 files",
    ]
