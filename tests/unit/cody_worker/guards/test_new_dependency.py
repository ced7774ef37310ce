"""Packages that a manifest did not ask for before."""

import pytest

from cody_jobs.models import JobType
from cody_worker.guards import Finding, GuardName, GuardRules
from tests.unit.cody_worker.guards.changes import found, rules_of


def _found(path: str, before: str | None, after: str, rules: GuardRules | None = None) -> list[Finding]:
    return found(GuardName.NEW_DEPENDENCY, path, before, after, rules)


_PYPROJECT = """[project]
name = "a"
dependencies = ["requests>=2", "Type_Extensions"]

[project.optional-dependencies]
dev = ["pytest"]

[dependency-groups]
lint = ["ruff", {include-group = "dev"}]

[build-system]
requires = ["hatchling"]
"""
_POETRY = """[tool.poetry.dependencies]
python = "^3.11"
requests = "^2"

[tool.poetry.group.dev.dependencies]
pytest = {version = "^8", extras = ["a"]}
"""
_PACKAGE = """{
  "name": "a",
  "scripts": {"lint": "eslint"},
  "dependencies": {"left-pad": "^1.0.0", "@a/b": "1.x"},
  "devDependencies": {"jest": "^29"}
}
"""
_GO = """module example.com/a

go 1.22

require (
\tgithub.com/a/b v1.2.3
\tgo.uber.org/zap v1.27.0 // indirect
)

require github.com/c/d/v2 v2.0.0
"""
_CARGO = """[dependencies]
serde = { version = "1", features = ["derive"] }

[dev-dependencies.tokio]
version = "1"

[target.'cfg(unix)'.dependencies]
libc = "0.2"
"""
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <dependencies>
    <dependency>
      <groupId>org.a</groupId>
      <artifactId>b</artifactId>
      <version>1.0</version>
      <exclusions>
        <exclusion><groupId>org.x</groupId><artifactId>y</artifactId></exclusion>
      </exclusions>
    </dependency>
  </dependencies>
  <build><plugins><plugin><artifactId>maven-jar-plugin</artifactId></plugin></plugins></build>
</project>
"""
_GRADLE = """plugins {
    id 'java'
    id("org.a.plugin") version "1.0"
}

dependencies {
    implementation 'org.a:b:1.0'
    testImplementation("org.c:d:2.0")
    api project(':core')
    implementation libs.e.f
    runtimeOnly group: 'org.g', name: 'h', version: '1'
}
"""
_GEMFILE = 'source "https://rubygems.org"\ngem "rails", "~> 7"\ngem \'puma\'\n'
_COMPOSER = '{"require": {"php": ">=8", "a/b": "^1"}, "require-dev": {"phpunit/phpunit": "^10"}}\n'
_CSPROJ = '<Project>\n  <ItemGroup>\n    <PackageReference Include="A.B" Version="1.0" />\n  </ItemGroup>\n</Project>\n'
_SETUP = "[options]\ninstall_requires =\n    requests>=2\n    attrs\n\n[options.extras_require]\ndev =\n    pytest\n"
_REQUIREMENTS = "-r base.txt\n# a remark\nrequests[security]==2.31.0 ; python_version > '3.8'\nattrs\n"

_NEW = {
    "pyproject": ("pyproject.toml", _PYPROJECT, '"requests>=2"', '"requests>=2", "evil"', "evil"),
    "pyproject extra": ("sub/pyproject.toml", _PYPROJECT, '"pytest"', '"pytest", "Evil_Two>=1"', "evil-two"),
    "pyproject group": ("pyproject.toml", _PYPROJECT, '"ruff"', '"ruff", "evil"', "evil"),
    "pyproject build": ("pyproject.toml", _PYPROJECT, '"hatchling"', '"hatchling", "evil"', "evil"),
    "poetry": ("pyproject.toml", _POETRY, 'requests = "^2"\n', 'requests = "^2"\nevil = "*"\n', "evil"),
    "requirements": ("requirements.txt", _REQUIREMENTS, "attrs", "attrs\nevil==1 --hash=sha256:a", "evil"),
    "requirements/": ("requirements/dev.txt", _REQUIREMENTS, "attrs", "attrs\nevil @ https://a.example/e.whl", "evil"),
    "dev-requirements": (
        "dev-requirements.in",
        _REQUIREMENTS,
        "attrs",
        "attrs\n-e git+https://a.example/e#egg=evil",
        "evil",
    ),
    "setup.cfg": ("setup.cfg", _SETUP, "    attrs", "    attrs\n    evil", "evil"),
    "setup.cfg extra": ("setup.cfg", _SETUP, "    pytest", "    pytest\n    evil", "evil"),
    "package.json": ("web/package.json", _PACKAGE, '"jest"', '"evil": "1", "jest"', "evil"),
    "package.json scope": ("package.json", _PACKAGE, '"@a/b"', '"@a/evil": "1", "@a/b"', "@a/evil"),
    "package.json alias": ("package.json", _PACKAGE, '"^1.0.0"', '"npm:evil@1"', "evil"),
    "package.json fork": ("package.json", _PACKAGE, '"^1.0.0"', '"github:evil/left-pad#main"', "evil/left-pad"),
    "go.mod": (
        "go.mod",
        _GO,
        "\tgithub.com/a/b v1.2.3\n",
        "\tgithub.com/a/b v1.2.3\n\tgithub.com/evil/e v0.1.0\n",
        "github.com/evil/e",
    ),
    "go.mod single": (
        "go.mod",
        _GO,
        "require github.com/c",
        "require go.evil.dev/e v1.0.0\nrequire github.com/c",
        "go.evil.dev/e",
    ),
    "go.mod replace": (
        "go.mod",
        _GO + "\n",
        "v2.0.0\n",
        "v2.0.0\nreplace github.com/a/b => github.com/evil/b v1.2.3\n",
        "github.com/evil/b",
    ),
    "Cargo.toml": ("Cargo.toml", _CARGO, "[dev-", 'evil = "1"\n[dev-', "evil"),
    "Cargo.toml target": ("Cargo.toml", _CARGO, 'libc = "0.2"', 'libc = "0.2"\nevil = { git = "x" }', "evil"),
    "Cargo.toml renamed": ("Cargo.toml", _CARGO, 'libc = "0.2"', 'libc = { package = "evil" }', "evil"),
    "pom": ("pom.xml", _POM, "<artifactId>b<", "<artifactId>evil<", "org.a:evil"),
    "pom plugin": ("pom.xml", _POM, "maven-jar-plugin", "evil-plugin", "evil-plugin"),
    "gradle": ("build.gradle", _GRADLE, "'org.a:b:1.0'", "'org.a:b:1.0', 'org.evil:e:1'", "org.evil:e"),
    "gradle kts": ("app/build.gradle.kts", _GRADLE, '"org.c:d:2.0"', '"org.evil:e"', "org.evil:e"),
    "gradle map": ("build.gradle", _GRADLE, "name: 'h'", "name: 'evil'", "org.g:evil"),
    "gradle plugin": ("build.gradle", _GRADLE, "id 'java'", "id 'java'\n    id 'evil'", "evil"),
    "gradle catalog": ("build.gradle", _GRADLE, "libs.e.f", "libs.evil", "libs.evil"),
    "Gemfile": ("Gemfile", _GEMFILE, "gem 'puma'", "gem 'puma'\n  gem 'evil'", "evil"),
    "composer.json": ("composer.json", _COMPOSER, '"a/b"', '"evil/e": "*", "a/b"', "evil/e"),
    "csproj": (
        "src/A.csproj",
        _CSPROJ,
        "  </ItemGroup>",
        '    <PackageReference Include="Evil" Version="1" />\n  </ItemGroup>',
        "evil",
    ),
}


@pytest.mark.parametrize(("path", "before", "old", "new", "name"), _NEW.values(), ids=_NEW)
def test_a_new_name_is_found_and_one_that_goes_is_not(path: str, before: str, old: str, new: str, name: str) -> None:
    after = before.replace(old, new, 1)
    assert [finding.message for finding in _found(path, before, after) if f"{name}," in finding.message]
    assert len(_found(path, before, after)) == 1
    assert _found(path, after, after) == []


_SAME = {
    "pyproject version": ("pyproject.toml", _PYPROJECT, "requests>=2", "Requests>=3,<4"),
    "pyproject spelling": ("pyproject.toml", _PYPROJECT, "Type_Extensions", "type.extensions"),
    "pyproject extra group": ("pyproject.toml", _PYPROJECT, 'dev = ["pytest"]', 'more = ["pytest"]'),
    "pyproject setting": (
        "pyproject.toml",
        _PYPROJECT,
        "[build-system]",
        "[tool.ruff]\nline-length = 120\n\n[build-system]",
    ),
    "poetry python": ("pyproject.toml", _POETRY, "^3.11", "^3.12"),
    "requirements version": ("requirements.txt", _REQUIREMENTS, "==2.31.0", ">=2.32"),
    "requirements option": ("requirements.txt", _REQUIREMENTS, "-r base.txt", "--no-binary :all:\n# new remark"),
    "no requirements": ("notes.txt", _REQUIREMENTS, "attrs", "evil"),
    "setup.cfg version": ("setup.cfg", _SETUP, "requests>=2", "requests>=3"),
    "setup.cfg setting": ("setup.cfg", _SETUP, "[options]", "[metadata]\nname = evil\n\n[options]"),
    "package.json version": ("package.json", _PACKAGE, "^29", "^30"),
    "package.json script": ("package.json", _PACKAGE, '"lint": "eslint"', '"lint": "eslint .", "evil": "x"'),
    "go.mod version": ("go.mod", _GO, "v1.2.3", "v1.3.0"),
    "go.mod major": ("go.mod", _GO, "d/v2 v2.0.0", "d/v3 v3.0.0"),
    "go.mod go": ("go.mod", _GO, "go 1.22", "go 1.23\n\ntoolchain go1.23.1"),
    "go.mod excluded": ("go.mod", _GO, "go 1.22\n", "go 1.22\n\nexclude (\n\tgithub.com/evil/e v1.0.0\n)\n"),
    "Cargo.toml version": ("Cargo.toml", _CARGO, '"0.2"', '"0.3"'),
    "Cargo.toml features": ("Cargo.toml", _CARGO, '["derive"]', '["derive", "rc"]'),
    "pom version": ("pom.xml", _POM, "1.0<", "2.0<"),
    "pom exclusion": ("pom.xml", _POM, "org.x<", "org.evil<"),
    "pom comment": (
        "pom.xml",
        _POM,
        "<build>",
        "<!-- <dependency><artifactId>evil</artifactId></dependency> --><build>",
    ),
    "gradle version": ("build.gradle", _GRADLE, "b:1.0", "b:2.0"),
    "gradle comment": ("build.gradle", _GRADLE, "    api", "    // implementation 'org.evil:e:1'\n    api"),
    "gradle project": ("build.gradle", _GRADLE, "':core'", "':core:evil'"),
    "Gemfile version": ("Gemfile", _GEMFILE, "~> 7", "~> 8"),
    "Gemfile comment": ("Gemfile", _GEMFILE, "gem 'puma'", "gem 'puma'\n# gem 'evil'"),
    "composer version": ("composer.json", _COMPOSER, '"^1"', '"^2"'),
    "csproj version": ("A.csproj", _CSPROJ, '"1.0"', '"2.0"'),
    "code": ("src/a.py", "import a\n", "import a", "import evil"),
}


@pytest.mark.parametrize(("path", "before", "old", "new"), _SAME.values(), ids=_SAME)
def test_another_version_or_setting_is_no_new_name(path: str, before: str, old: str, new: str) -> None:
    assert old in before
    assert _found(path, before, before.replace(old, new)) == []


def test_the_line_is_told() -> None:
    (finding,) = _found("package.json", _PACKAGE, _PACKAGE.replace('{"jest"', '{\n    "evil": "1",\n    "jest"'))
    assert finding.line == 6


def test_an_update_of_dependencies_may_add_what_its_prompt_names() -> None:
    after = _PYPROJECT.replace('"requests>=2"', '"httpx2", "type-extensions"')
    update = JobType.DEPENDENCY_UPDATE
    assert _found("pyproject.toml", _PYPROJECT, after, rules_of("Replace requests by httpx2.", update)) == []
    assert _found("pyproject.toml", _PYPROJECT, after, rules_of("Replace requests by HTTPX2", update)) == []
    assert _found("pyproject.toml", _PYPROJECT, after, rules_of("Replace requests by httpx2-next.", update))
    assert _found("pyproject.toml", _PYPROJECT, after, rules_of("Drop requests.", update))
    assert _found("pyproject.toml", _PYPROJECT, after, rules_of("Replace requests by httpx2."))
    after = _POM.replace("<artifactId>b<", "<artifactId>jakarta-b<")
    assert _found("pom.xml", _POM, after, rules_of("Go from b to jakarta-b", update)) == []


def test_all_names_of_a_new_manifest_are_new() -> None:
    assert len(_found("pyproject.toml", None, _PYPROJECT)) == 5


@pytest.mark.parametrize(
    ("path", "broken"),
    [
        ("pyproject.toml", "a = \n"),
        ("package.json", "{"),
        ("pom.xml", "<a>"),
        ("setup.cfg", "x"),
        ("package.json", "[" * 100_000),
    ],
)
def test_a_manifest_that_cannot_be_read_tells_nothing(path: str, broken: str) -> None:
    good = {"pyproject.toml": _PYPROJECT, "package.json": _PACKAGE, "pom.xml": _POM, "setup.cfg": _SETUP}[path]
    assert _found(path, broken, good) == []
    assert _found(path, good, broken) == []


def test_entities_of_xml_are_not_followed() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + _POM
    assert _found("pom.xml", _POM, bomb) == []
