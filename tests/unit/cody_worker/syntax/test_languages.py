"""A file's name says which language it is in."""

import pytest

from cody_worker.syntax import Language, language_of
from cody_worker.syntax.grammars import grammar_of
from cody_worker.syntax.parse_tree import parse_tree


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("src/a.py", Language.PYTHON),
        ("a.PY", Language.PYTHON),
        ("src/App.tsx", Language.TSX),
        ("src/a.d.ts", Language.TYPESCRIPT),
        ("Dockerfile", Language.DOCKERFILE),
        ("docker/Dockerfile.dev", Language.DOCKERFILE),
        ("api.dockerfile", Language.DOCKERFILE),
        ("Jenkinsfile", Language.GROOVY),
        ("build.gradle.kts", Language.KOTLIN),
        ("Gemfile", Language.RUBY),
        ("include/a.h", Language.CPP),
        (".bashrc", Language.BASH),
        ("My.csproj", Language.XML),
        ("README", None),
        ("a.unknown", None),
        ("folder.py/README", None),
        ("", None),
        (".py", None),
    ],
)
def test_the_name_decides(path: str, language: Language | None) -> None:
    assert language_of(path) is language


@pytest.mark.parametrize("language", Language)
def test_every_language_has_a_grammar_that_is_loaded_once(language: Language) -> None:
    assert grammar_of(language) is grammar_of(language)
    tree = parse_tree(language, b"\n")
    assert tree is not None
    assert tree.root_node.end_byte <= 1
