"""Three small repositories, made anew for each demo."""

from collections.abc import Mapping
from pathlib import Path

from cody_cli.git import git

_COMMIT = ("-c", "user.name=Demo", "-c", "user.email=demo@localhost", "commit", "--quiet", "-m", "Begin")

_INVOICE = '''"""Invoices."""

from dataclasses import dataclass
from datetime import date
from typing import Optional


@dataclass
class Invoice:
    number: str
    amount: int
    paid_on: Optional[date] = None
    note: Optional[str] = None

    def is_paid(self) -> bool:
        return self.paid_on is not None


def find_invoice(invoices: list[Invoice], number: str) -> Optional[Invoice]:
    for invoice in invoices:
        if invoice.number == number:
            return invoice
    return None
'''

_LEGACY = """from typing import Optional\r
\r
\r
def parse_amount(text: str, default: Optional[int] = None) -> Optional[int]:\r
    return int(text) if text.isdigit() else default\r
"""

_INVOICE_TEST = """from typing import Optional

from invoice import Invoice, find_invoice


def test_an_unknown_number_finds_nothing():
    found: Optional[Invoice] = find_invoice([], "1")
    assert found is None
"""

_VENDORED = """# A copy of somebody else's code: changes belong upstream.
from typing import Optional


def slug(text: Optional[str]) -> str:
    return (text or "").lower().replace(" ", "-")
"""

_CATALOG = """from typing import Dict, Optional


class Catalog:
    def __init__(self) -> None:
        self._prices: Dict[str, int] = {}

    def price(self, article: str) -> Optional[int]:
        return self._prices.get(article)

    def put(self, article: str, price: int, *, currency: Optional[str] = None) -> None:
        self._prices[f"{article}:{currency or 'EUR'}"] = price
"""

_COUNTING = """def total(prices: list[int]) -> int:
    return sum(prices)
"""

_GLOSSARY = """# Glossary

- **Job**: one prompt for many repositories.
- **Run**: what becomes of one repository of a job.
"""

SAMPLES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "billing": (
        "Optional[...] in code and tests, a file with CRLF line endings, a vendored file",
        {
            "invoice.py": _INVOICE,
            "legacy/parse.py": _LEGACY,
            "tests/test_invoice.py": _INVOICE_TEST,
            "vendor/slug.py": _VENDORED,
        },
    ),
    "catalog": ("one file to change, one that is fine", {"catalog.py": _CATALOG, "counting.py": _COUNTING}),
    "glossary": ("nothing to do: no Python at all", {"README.md": _GLOSSARY}),
}


def make_samples(folder: Path) -> list[Path]:
    """Write, and commit, each sample below the folder; their paths."""
    return [_make(folder / name, files) for name, (_, files) in SAMPLES.items()]


def _make(repository: Path, files: Mapping[str, str]) -> Path:
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", "--initial-branch=main")
    for name, text in files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_bytes(text.encode())
    git(repository, "-c", "core.autocrlf=false", "add", "--all")
    git(repository, *_COMMIT)
    return repository
