import pytest

from cody_runtime.environment import WORKER_CREDENTIALS, is_credential, without_credentials


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "GITHUB_PAT",
        "GITHUB_APP_PRIVATE_KEY",
        "GITHUB_APP_PRIVATE_KEY_FILE",
        "GITLAB_PRIVATE_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SESSION_TOKEN",
        "CLAUDE_API_KEY",
        "OPENAI_API_KEY",
        "NPM_TOKEN",
        "TWINE_PASSWORD",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "github_token",
        "SSH_AUTH_SOCK",
        "GIT_ASKPASS",
        "CODY_API_TOKEN",
    ],
)
def test_credentials_are_known_by_their_names(name: str) -> None:
    assert is_credential(name)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "DATABASE_URL",
        "CLAUDE_MODEL",
        "CLAUDE_MAX_OUTPUT_TOKENS",
        "PATIENCE",
        "KEYBOARD",
        "LANG",
        "XPATH",
    ],
)
def test_ordinary_variables_stay(name: str) -> None:
    assert not is_credential(name)


def test_what_is_to_be_kept_is_kept() -> None:
    kept = {"PATH": "/bin", "CLAUDE_API_KEY": "k", "GITHUB_READ_TOKEN": "r"}
    environment = {**kept, "GITHUB_TOKEN": "t"}
    assert without_credentials(environment, keep=WORKER_CREDENTIALS) == kept
