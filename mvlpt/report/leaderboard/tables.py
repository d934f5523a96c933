"""The table of a checked submission."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.io import rich_text
from mvlpt.report.leaderboard.submission import Verdict

if TYPE_CHECKING:
    from rich.table import Table


def verdict_table(verdict: Verdict) -> Table:
    """One line for each file, or each data set of a zip."""
    from rich.table import Table

    table = Table(title="Predictions", title_justify="left")
    for column, justify in (
        ("data set", "left"),
        ("shots", "right"),
        ("seeds", "left"),
        ("images", "right"),
        ("classes", "right"),
        ("worst row sum", "right"),
        ("", "left"),
    ):
        table.add_column(column, justify=justify)
    for entry in sorted(verdict.entries, key=lambda entry: (entry.dataset, entry.seeds)):
        table.add_row(
            rich_text(entry.dataset or entry.source),
            rich_text(entry.fields.get("n_shot", "")),
            ", ".join(map(str, entry.seeds)),
            ", ".join(f"{rows:,}" for rows in sorted(set(entry.rows))),
            ", ".join(map(str, sorted(entry.widths))),
            f"{entry.worst_sum[0]:.6f}",
            "[red]wrong[/red]" if entry.problems else "ok",
        )
    return table
