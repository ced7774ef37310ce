"""Which language a file is written in, by its name alone."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath


class Language(StrEnum):
    BASH = "bash"
    C = "c"
    C_SHARP = "c-sharp"
    CPP = "cpp"
    CSS = "css"
    DOCKERFILE = "dockerfile"
    GO = "go"
    GROOVY = "groovy"
    HCL = "hcl"
    HTML = "html"
    JAVA = "java"
    JAVASCRIPT = "javascript"
    JSON = "json"
    KOTLIN = "kotlin"
    MARKDOWN = "markdown"
    PHP = "php"
    PYTHON = "python"
    RUBY = "ruby"
    RUST = "rust"
    SCALA = "scala"
    SQL = "sql"
    SWIFT = "swift"
    TOML = "toml"
    TSX = "tsx"
    TYPESCRIPT = "typescript"
    XML = "xml"
    YAML = "yaml"


def language_of(path: str) -> Language | None:
    """None for a name that says nothing of a language we have a grammar for."""
    name = PurePosixPath(path).name.lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name.startswith(("dockerfile.", "containerfile.")):
        return Language.DOCKERFILE
    return _BY_SUFFIX.get(PurePosixPath(name).suffix.removeprefix("."))


def _spread(table: Mapping[Language, str]) -> Mapping[str, Language]:
    return {word: language for language, words in table.items() for word in words.split()}


# A header may be C or C++; the grammar of C++ reads nearly all of C.
_BY_SUFFIX = _spread(
    {
        Language.BASH: "sh bash bats ksh",
        Language.C: "c",
        Language.C_SHARP: "cs csx",
        Language.CPP: "cpp cc cxx c++ hpp hh hxx h++ h ipp tpp ino",
        Language.CSS: "css",
        Language.DOCKERFILE: "dockerfile",
        Language.GO: "go",
        Language.GROOVY: "groovy gradle gvy jenkinsfile",
        Language.HCL: "hcl tf tfvars nomad",
        Language.HTML: "html htm xhtml",
        Language.JAVA: "java",
        Language.JAVASCRIPT: "js jsx mjs cjs",
        Language.JSON: "json jsonc geojson webmanifest",
        Language.KOTLIN: "kt kts",
        Language.MARKDOWN: "md markdown",
        Language.PHP: "php phtml php5",
        Language.PYTHON: "py pyi pyw",
        Language.RUBY: "rb rake gemspec ru podspec",
        Language.RUST: "rs",
        Language.SCALA: "scala sc sbt",
        Language.SQL: "sql",
        Language.SWIFT: "swift",
        Language.TOML: "toml",
        Language.TSX: "tsx",
        Language.TYPESCRIPT: "ts mts cts",
        Language.XML: "xml xsd xsl xslt svg csproj fsproj vbproj props targets nuspec resx xaml plist wsdl pom",
        Language.YAML: "yaml yml",
    }
)
_BY_NAME = _spread(
    {
        Language.BASH: ".bashrc .bash_profile .profile",
        Language.DOCKERFILE: "dockerfile containerfile",
        Language.GROOVY: "jenkinsfile",
        Language.RUBY: "rakefile gemfile podfile vagrantfile fastfile guardfile brewfile capfile",
        Language.TOML: "pipfile",
    }
)
