"""Results as a list of records that notebooks show as a table."""

from __future__ import annotations

from html import escape
from typing import Any

from mvlpt.errors import MissingExtraError

SHOWN = ("trainer", "arm", "group", "task", "split", "metric", "value", "shots", "seed", "n")
MOST_ROWS = 60


class Records(list[dict[str, Any]]):
    """Scores, one record each, with the fields of ``results.jsonl``; ``value`` is in percent."""

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with a row for each record.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtraError("to_pandas needs pandas: pip install pandas") from None
        return pandas.DataFrame.from_records(list(self))

    def _repr_html_(self) -> str:
        """A table, for Jupyter."""
        fields = [name for name in SHOWN if any(record.get(name) not in (None, "") for record in self)]
        head = "".join(f"<th>{escape(name)}</th>" for name in fields)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(_cell(record.get(name)))}</td>' for name in fields)}</tr>"
            for record in self[:MOST_ROWS]
        )
        more = f"<p>and {len(self) - MOST_ROWS} more</p>" if len(self) > MOST_ROWS else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "" if value is None else str(value)
