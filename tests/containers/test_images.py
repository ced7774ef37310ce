"""What is in the images, and what is not; each is looked at alone, without a network."""

import re

import pytest

from tests.containers.stack import IMAGES, image, inspect, podman

# The worker has the grammars of 26 languages, and ast-grep for codemods.
_MEGABYTES = {"api": 300, "dispatcher": 250, "worker": 500, "cli": 270}
_FOREIGN = {
    "api": ("anthropic", "pygit2", "pathspec", "httpx_sse"),
    "dispatcher": ("anthropic", "pygit2", "litestar", "uvicorn", "click", "pathspec"),
    "worker": ("litestar", "uvicorn", "click"),
    "cli": ("anthropic", "pygit2", "litestar", "uvicorn", "pathspec"),
}
_MODULES = {
    "api": "cody_api.serve",
    "dispatcher": "cody_dispatcher.reconcile",
    "worker": "cody_worker.preload",
    "cli": "cody_cli.command_list",
}


def run(name: str, *command: str) -> str:
    """Run a program of the image in the strictest container that it has to work in."""
    strict = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
    return podman("run", "--rm", *strict, "--entrypoint", command[0], image(name), *command[1:])


@pytest.mark.parametrize("name", IMAGES)
def test_it_runs_as_an_ordinary_user_who_can_write_to_tmp_alone(name: str) -> None:
    assert inspect("image", image(name))["Config"]["User"] == "10001:10001"
    places = "/ /opt/cody-batch /etc /usr/bin"
    tried = f"id -u; for f in {places}; do touch $f/x 2>/dev/null && echo wrote $f; done; touch /tmp/x"
    assert run(name, "sh", "-c", tried).split() == ["10001"]


@pytest.mark.parametrize("name", IMAGES)
def test_it_holds_what_its_program_imports_and_no_other_programs_dependencies(name: str) -> None:
    looked = (
        f"import {_MODULES[name]}, aioboto3, importlib.util as u; "
        f"print([m for m in {_FOREIGN[name]!r} if u.find_spec(m)])"
    )
    assert run(name, "python3", "-c", looked) == "[]\n"


@pytest.mark.parametrize("name", IMAGES)
def test_it_cannot_install_push_or_log_in_anywhere(name: str) -> None:
    programs = ("pip", "pip3", "uv", "gcc", "ssh", "scp", "gh", "docker", "podman", "sudo", "aws")
    found = run(name, "sh", "-c", f"for p in {' '.join(programs)}; do command -v $p; done; true")
    assert found == ""
    assert run(name, "sh", "-c", "command -v git || echo none").strip() == (
        "/usr/bin/git" if name == "worker" else "none"
    )


def test_the_workers_git_reads_over_http_and_asks_nobody_for_credentials() -> None:
    left = run("worker", "sh", "-c", "ls /usr/lib/git-core")
    assert "git-remote-https" in left
    assert re.findall(r"git-(?:credential\S*|http-push|send-pack|imap-send|daemon)", left) == []


@pytest.mark.parametrize("name", IMAGES)
def test_the_image_and_its_history_hold_no_settings_of_the_machine_that_built_it(name: str) -> None:
    told = podman("history", "--no-trunc", "--format", "{{.CreatedBy}}", image(name)) + str(
        inspect("image", image(name))["Config"]
    )
    assert re.findall(r"(?i)index-url|https?://(?!127\.0\.0\.1)|PIP_[A-Z_]+=|proxy", told) == []
    assert run(name, "sh", "-c", "ls /etc/pip.conf /run/secrets /root/.cache 2>/dev/null; true") == ""


@pytest.mark.parametrize("name", IMAGES)
def test_it_says_what_it_is_and_how_it_is_stopped_and_looked_after(name: str) -> None:
    config = inspect("image", image(name))
    assert config["Labels"].keys() >= {f"org.opencontainers.image.{what}" for what in ("title", "version", "revision")}
    assert config["Config"]["Entrypoint"][:2] == ["/usr/bin/tini", "--"]
    assert config["Config"]["StopSignal"] == "SIGTERM"
    has_check = config["Healthcheck"]["Test"] != ["NONE"]
    assert has_check is (name in ("api", "dispatcher"))


@pytest.mark.parametrize("name", IMAGES)
def test_it_is_no_larger_than_it_has_to_be(name: str) -> None:
    assert inspect("image", image(name))["Size"] < _MEGABYTES[name] * 1_000_000


@pytest.mark.parametrize("name", ["api", "dispatcher"])
def test_it_names_the_setting_that_is_wrong(name: str) -> None:
    said = run(name, "sh", "-c", f"DATABASE_CONNECTIONS=none python3 -m cody_{name} 2>&1; echo $?")
    assert "DATABASE_CONNECTIONS" in said
    assert said.split()[-1] == "1"
