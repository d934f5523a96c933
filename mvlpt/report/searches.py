"""The table of a search for options: every candidate and its score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.report.options import as_word
from mvlpt.report.sheets import Column, Entry, Sheet

if TYPE_CHECKING:
    from mvlpt.experiment.search import Search


def search_sheet(search: Search) -> Sheet:
    """A row for each candidate, by trainer and arm, the best first; the one that was chosen is bold."""
    keys = list(dict.fromkeys(key for one in search.candidates for key in one.options))
    several = len(search.choices()) > 1
    left = ["trainer", "arm"] if several else []
    columns = [*(Column((name,), left=True) for name in left), *(Column((key,), left=True) for key in keys)]
    columns += [Column(("score %",)), Column(("",), left=True)]
    rows: list[tuple[Entry, ...] | None] = []
    for trainer, arm in search.choices():
        some = [one for one in search.candidates if (one.trainer, one.arm) == (trainer, arm)]
        rows += [None] if rows else []
        for one in sorted(some, key=lambda one: -one.mean):
            words = [*([trainer, arm] if several else []), *(as_word(one.options.get(key, "")) for key in keys)]
            words += [f"{abs(one.mean):.1f} ± {one.error:.1f}", "chosen" if one.chosen else ""]
            rows.append(tuple(Entry(word, bold=one.chosen) for word in words))
    return Sheet(_title(search), tuple(columns), tuple(rows), len(left) + len(keys))


def _title(search: Search) -> str:
    settings = search.settings
    images = "validation images" if settings["split"] == "val" else f"{settings['folds']} folds of the training images"
    of = "" if len(search.choices()) > 1 else f" of {next(iter(search.choices()))[0]}"
    return (
        f"{len(search.candidates)} candidates{of} ({settings['method']}) on {images}, {settings['shots']}-shot, seed"
        f" {settings['seed']}: mean over tasks ± standard error"
    )
