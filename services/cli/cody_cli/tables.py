"""How tables look: no frames, so that they can be read, copied and piped."""

from rich.table import Table


def plain_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
