"""Names that have to change everywhere, and nothing else with them."""

from evals.in_code import rename_in_python
from evals.migration import Files, Migration, each_file
from evals.parsed import renamed
from evals.sources import below, containing, package_files

_STRINGS_STAY = "Comments, docstrings and other strings stay as they are."


def _rich() -> dict[str, Files]:
    return {"across-files": containing(package_files("rich"), b"cell_len", others=20)}


ACROSS_FILES = Migration(
    name="across-files",
    hard="a function that is defined in one file, and imported and called in many; names that contain its name",
    prompt=f"The function cell_len of rich.cells is now called cell_width: rename it where it is defined, imported, "
    f"called or passed on. Other names that contain cell_len, like cached_cell_len, are not renamed. {_STRINGS_STAY}",
    repositories=_rich,
    oracle=each_file(renamed("cell_len", "cell_width"), ".py"),
    good=rename_in_python("cell_len", "cell_width"),
    changes=8,
    match=r"\bcell_len\b",
)


def _sagemaker() -> dict[str, Files]:
    files = package_files("moto", "sagemaker/*.py", "core/utils.py", "utilities/utils.py")
    return {"six-thousand-lines": below("moto", files)}


SIX_THOUSAND_LINES = Migration(
    name="six-thousand-lines",
    hard="about 60 places in a file of 6,000 lines",
    prompt=f"The function utcnow of moto.core.utils is now called utc_now: rename it where it is defined, imported or "
    f"called by its bare name. {_STRINGS_STAY}",
    repositories=_sagemaker,
    oracle=each_file(renamed("utcnow", "utc_now"), ".py"),
    good=rename_in_python("utcnow", "utc_now"),
    changes=2,
    match=r"\butcnow\b",
)


def _jsonschema() -> dict[str, Files]:
    return {"tests-kept": below("jsonschema", package_files("jsonschema"))}


TESTS_KEPT = Migration(
    name="tests-kept",
    hard="tests use what is renamed: they follow, and none is removed, skipped or weakened",
    prompt=f"The function best_match of jsonschema.exceptions is now called most_relevant: rename it wherever code "
    f"defines, imports or uses it, tests included. {_STRINGS_STAY}",
    repositories=_jsonschema,
    oracle=each_file(renamed("best_match", "most_relevant"), ".py"),
    good=rename_in_python("best_match", "most_relevant"),
    changes=3,
    match=r"\bbest_match\b",
)
