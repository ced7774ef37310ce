"""JavaScript, by ast-grep, and JSON."""

import re
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

import tree_sitter

from cody_jobs.models import JobType
from evals.in_code import replace_in_javascript
from evals.migration import Files, Migration
from evals.parsed import Change, Syntax, changed, nodes, text
from evals.sources import below, node_packages

_OLD = "Object.prototype.hasOwnProperty.call"


def _javascript() -> dict[str, Files]:
    """What is compiled into `dist` gets another folder: there, it would be left alone as nobody's source."""
    chosen = {name: files for name, files in node_packages() if name in {"diff", "tar", "agent-base", "nopt", "isexe"}}
    files = {path: data for name, files in chosen.items() for path, data in below(name, files).items()}
    return {
        "javascript": {path.replace("/dist/", "/compiled/"): data for path, data in files.items() if _is_ours(path)}
    }


def _is_ours(path: str) -> bool:
    return path.endswith((".js", "package.json")) and not path.endswith(".min.js")


def _by_ast_grep(files: Files) -> Files:
    """The program rewrites a copy."""
    with tempfile.TemporaryDirectory(prefix="cody-eval-") as folder:
        for path, data in files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_bytes(data)
        program = Path(sys.executable).with_name("ast-grep")
        rule = ["--pattern", f"{_OLD}($A, $B)", "--rewrite", "Object.hasOwn($A, $B)", "--lang", "js"]
        done = subprocess.run(
            [program, "run", *rule, "--update-all", "."], cwd=folder, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace"))
        return {path: (Path(folder) / path).read_bytes() for path in files}


def _good_javascript(path: str, source: str) -> str:
    rewrite = replace_in_javascript(rf"\b{re.escape(_OLD)}\(", lambda _: "Object.hasOwn(")
    return rewrite(source) if path.endswith(".js") else source


JAVASCRIPT_CALLS = Migration(
    name="javascript",
    hard="another language; compiled code, with calls inside of calls",
    prompt=f"Rewrite {_OLD}(a, b) to Object.hasOwn(a, b), in every .js file. Strings and comments stay.",
    repositories=_javascript,
    oracle=_by_ast_grep,
    good=_good_javascript,
    changes=10,
    include=("*.js",),
    match=re.escape(_OLD),
)


def _manifests() -> dict[str, Files]:
    """Ten packages, a repository each, of the ones that say which Node they need."""
    ready = ((name, files) for name, files in node_packages() if b'"engines"' in files["package.json"])
    return {
        f"node-version-{name}": dict(islice(files.items(), 20)) | {"package.json": files["package.json"]}
        for name, files in islice(ready, 10)
    }


def _with_new_node(data: bytes) -> bytes:
    """The value of `node` in `engines` of the outermost object, by a parser."""
    return changed(
        data,
        [
            Change(value.start_byte, value.end_byte, b'">=22.12"')
            for pair in nodes(data, Syntax.JSON, "pair")
            if (value := _engine(pair)) is not None
        ],
    )


def _engine(pair: tree_sitter.Node) -> tree_sitter.Node | None:
    outer = pair.parent.parent if pair.parent else None
    if outer is None or outer.type != "pair" or _key(outer) != b'"engines"' or _key(pair) != b'"node"':
        return None
    top = outer.parent.parent if outer.parent else None
    return pair.child_by_field_name("value") if top is not None and top.type == "document" else None


def _key(pair: tree_sitter.Node) -> bytes:
    key = pair.child_by_field_name("key")
    return text(key) if key is not None else b""


def _good_manifest(path: str, source: str) -> str:
    if not path.endswith("package.json"):
        return source
    return re.sub(r'("engines": \{[^}]*"node": )"[^"]*"', r'\1">=22.12"', source)


NODE_VERSION = Migration(
    name="node-version",
    hard="a manifest; ten repositories, the same change with different old values",
    prompt='In package.json, the version of node in "engines" becomes ">=22.12". No other dependency changes.',
    repositories=_manifests,
    oracle=lambda files: {
        path: _with_new_node(data) if path == "package.json" else data for path, data in files.items()
    },
    good=_good_manifest,
    changes=8,
    type=JobType.DEPENDENCY_UPDATE,
    include=("package.json",),
    match=r'"engines"',
)
