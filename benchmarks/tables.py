"""Results as Markdown tables, to be pasted into README.md."""

from collections.abc import Sequence

from benchmarks.machine import describe_machine


def print_machine() -> None:
    print(f"{describe_machine()}\n", flush=True)


def print_head(*columns: str) -> None:
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)


def print_row(*cells: object) -> None:
    """Row by row: whoever waits sees how far it is."""
    print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print_head(*columns)
    for row in rows:
        print_row(*row)
