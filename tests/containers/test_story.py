"""The whole stack: a job posted with curl becomes patches, made by worker containers, in one trace."""

from collections.abc import Mapping
from pathlib import Path

from tests.containers.stack import Stack, address, container, podman
from tests.servers.aws_server import AwsServer
from tests.support.repositories import GitRepository, apply_patch, make_repository
from tests.support.wait import wait_until

PROMPT = "Rewrite Optional[X] to X | None."
BEFORE, AFTER = b"x: Optional[int] = None\n", "x: int | None = None"
CLIENT_TRACE, CLIENT_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STEPS = {
    "dispatch",
    "run_shard",
    "run_repository",
    "checkout",
    "scope",
    "edit_file",
    "anthropic.messages.create",
    "commit",
}
SERVICES = ("api", "dispatcher", "postgres", "dynamodb", "elasticmq", "moto", "claude")


def make(stack: Stack, owner: str, names: tuple[str, ...]) -> Mapping[str, GitRepository]:
    return {
        f"{owner}/{name}": make_repository(stack.repositories / owner / name, {f"{name}.py": BEFORE}) for name in names
    }


async def test_a_job_becomes_patches_in_one_trace(stack: Stack, tmp_path: Path) -> None:
    made = make(stack, "acme", ("web", "api", "shop", "mail", "docs"))
    traceparent = f"00-{CLIENT_TRACE}-{CLIENT_SPAN}-01"
    job_id = await stack.submit(list(made), PROMPT, traceparent=traceparent)
    job = await stack.ended(job_id)
    assert job["status"] == "SUCCEEDED", job
    assert {name: count for name, count in job["counts"].items() if count} == {"succeeded": 5, "patches": 5}
    for name, repository in made.items():
        patch = stack.curl(f"/jobs/{job_id}/repositories/{name}/diff")
        tree = apply_patch(repository, repository.line("rev-parse", "HEAD"), patch.encode(), tmp_path / name)
        assert repository.line("rev-parse", "HEAD^{tree}") != tree
        assert f"+{AFTER}" in patch.splitlines()
    await check_trace(stack, calls=5)
    await check_log_streams(job_id, runs=5, shards=3)


async def check_trace(stack: Stack, *, calls: int) -> None:
    """One connected tree below the client's own span, from the request to each call of Claude."""
    await wait_until(
        lambda: {"run_shard", "dispatch"} <= {span["operationName"] for span in stack.spans(CLIENT_TRACE)},
        "the last spans are in",
    )
    spans = stack.spans(CLIENT_TRACE)
    known = {span["spanID"] for span in spans} | {CLIENT_SPAN}
    parents = {span["spanID"]: [parent["spanID"] for parent in span["references"]] for span in spans}
    assert [name for name, above in parents.items() if len(above) != 1 or above[0] not in known] == []
    assert {span["service"] for span in spans} == {"api", "dispatcher", "worker"}
    assert {span["operationName"] for span in spans} >= STEPS
    assert len([span for span in spans if span["operationName"] == "anthropic.messages.create"]) == calls


async def check_log_streams(job_id: str, *, runs: int, shards: int) -> None:
    """AWS Batch's own record of the worker containers that ran; it is written when they have ended."""

    async def found() -> dict[str, str]:
        texts = await log_streams()
        ours = {name: text for name, text in texts.items() if job_id in text}
        told = "".join(ours.values()).count('"run_finished"')
        return ours if told == runs else {}

    assert len(await wait_until(found, "each run's end is in a log stream", timeout=60)) == shards


async def log_streams() -> dict[str, str]:
    async with AwsServer(f"http://{address('moto')}:5000").logs() as logs:
        listed = (await logs.describe_log_streams(logGroupName="/aws/batch/job"))["logStreams"]
        names = [stream.get("logStreamName", "") for stream in listed]
        told = [await logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=name) for name in names]
    texts = ["\n".join(event.get("message", "") for event in events["events"]) for events in told]
    return dict(zip(names, texts, strict=True))


async def test_one_repository_is_a_plain_job(stack: Stack) -> None:
    (name,) = make(stack, "single", ("one",))
    job = await stack.ended(await stack.submit([name], PROMPT))
    assert job["status"] == "SUCCEEDED", job


async def test_the_bootstrap_changes_nothing_when_it_runs_again(stack: Stack) -> None:
    said = podman("start", "--attach", container("bootstrap"))
    outcomes = {line.rpartition(": ")[2] for line in said.splitlines() if ": " in line}
    assert not {"created", "changed"} & outcomes, said


async def test_every_container_is_healthy_by_its_own_check(stack: Stack) -> None:
    for service in SERVICES:
        await wait_until(lambda name=service: is_healthy(name), f"{service} is healthy", timeout=60)


def is_healthy(service: str) -> bool:
    podman("healthcheck", "run", container(service), check=False)
    return podman("inspect", container(service), "--format", "{{.State.Health.Status}}").strip() == "healthy"


async def test_our_containers_stop_in_order_when_they_are_asked_to(stack: Stack) -> None:
    for service in ("api", "dispatcher"):
        podman("stop", "--time", "30", container(service))
        state = podman("inspect", container(service), "--format", "{{.State.ExitCode}}").strip()
        podman("start", container(service))
        assert state == "0", f"{service} ended with {state}"
