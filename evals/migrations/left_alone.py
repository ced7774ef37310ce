"""What has to stay as it is: look-alikes, files without the pattern, and files that programs wrote."""

import re

import tree_sitter

from evals.in_code import rename_in_python, replace_in_python
from evals.migration import Files, Migration, each_file
from evals.parsed import Change, Syntax, changed, nodes, renamed, text
from evals.sources import below, containing, package_files


def _with_io_error() -> dict[str, Files]:
    packages = ("docutils", "pygments", "awscli")
    return {f"look-alikes-{name}": containing(_own(package_files(name)), b"IOError", others=10) for name in packages}


def _own(files: Files) -> Files:
    return {path: data for path, data in files.items() if "/vendored/" not in path}


LOOK_ALIKES = Migration(
    name="look-alikes",
    hard="most finds are in strings, comments and longer names, and have to stay",
    prompt="Use the name OSError for the exception that is also called IOError. Comments, docstrings, other strings "
    "and longer names stay as they are. In a tuple that already has OSError, put OSError in the place of IOError, too.",
    repositories=_with_io_error,
    oracle=each_file(renamed("IOError", "OSError"), ".py"),
    good=rename_in_python("IOError", "OSError"),
    changes=5,
    match="IOError",
)


def _with_super() -> dict[str, Files]:
    return {"most-files-stay": package_files("awscli", "customizations/**/*.py", limit=60)}


def _bare_super(data: bytes) -> bytes:
    calls = [node for node in nodes(data, Syntax.PYTHON, "call") if _is_full_super(node)]
    return changed(data, [Change(node.start_byte, node.end_byte, b"super()") for node in calls])


def _is_full_super(call: tree_sitter.Node) -> bool:
    function, given = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if function is None or given is None or text(function) != b"super" or call.start_point.row != call.end_point.row:
        return False
    words = given.named_children
    return len(words) == 2 and words[0].type == "identifier" and text(words[1]) == b"self"


def _good_super(path: str, source: str) -> str:
    rewrite = replace_in_python(r"\bsuper\(\w+, self\)", lambda _: "super()")
    return rewrite(source) if path.endswith(".py") else source


MOST_FILES_STAY = Migration(
    name="most-files-stay",
    hard="three of four candidates have nothing to change",
    prompt="Rewrite super(Class, self) to super(). Only where the whole call is on one line; leave other forms of "
    "super as they are.",
    repositories=_with_super,
    oracle=each_file(_bare_super, ".py"),
    good=_good_super,
    changes=8,
    match=r"(?m)^(?:import|from|class) ",
)

_IMPORT = re.compile(r"^from google\.protobuf import (\w+)$", re.MULTILINE)


def _protobuf() -> dict[str, Files]:
    ours = below("google/protobuf", package_files("google.protobuf", "*.py", "*.pyi"))
    vendored = below("vendor/protobuf", package_files("google.protobuf", "json_format.py", "reflection.py"))
    return {"generated-left-alone": {**ours, **vendored}}


def _outside_of_generated(files: Files) -> Files:
    return {
        path: data if path.startswith("vendor/") or "_pb2." in path else _absolute(data) for path, data in files.items()
    }


def _absolute(data: bytes) -> bytes:
    imports = [node for node in nodes(data, Syntax.PYTHON, "import_from_statement") if _is_of_protobuf(node)]
    return changed(data, [_change_of(node) for node in imports])


def _is_of_protobuf(node: tree_sitter.Node) -> bool:
    names = node.children_by_field_name("name")
    return (
        node.start_point.column == 0
        and text(node).startswith(b"from google.protobuf import ")
        and [name.type for name in names] == ["dotted_name"]
    )


def _change_of(node: tree_sitter.Node) -> Change:
    name = text(node.children_by_field_name("name")[0])
    return Change(node.start_byte, node.end_byte, b"import google.protobuf.%s as %s" % (name, name))


def _good_imports(path: str, source: str) -> str:
    return _IMPORT.sub(r"import google.protobuf.\1 as \1", source) if path.endswith((".py", ".pyi")) else source


GENERATED_LEFT_ALONE = Migration(
    name="generated-left-alone",
    hard="files that a compiler wrote, and vendored copies, have the pattern and must not be touched",
    prompt="Import the modules of protobuf absolutely: a line `from google.protobuf import x` of one name becomes "
    "`import google.protobuf.x as x`. Leave imports with `as`, of several names, or with indentation as they are.",
    repositories=_protobuf,
    oracle=_outside_of_generated,
    good=_good_imports,
    changes=5,
    skipped=("vendor/*", "*_pb2.py", "*_pb2.pyi"),
    match=r"from google\.protobuf import",
)
