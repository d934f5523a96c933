"""The options that were chosen, and all candidates for them."""

from __future__ import annotations

from mvlpt.experiment.search import Search, read_search
from mvlpt.report.options import as_word
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.html_tables import Cell, Heading, Table, number


def build(content: Content) -> Section | None:
    """Nothing where no option was chosen."""
    search = read_search(content.root)
    if search is None:
        return None
    on = "validation images" if search.settings.get("split") == "val" else "parts of the training images left out"
    intro = (
        f"Values of options were compared on {on}; no test image was used. Each trainer and arm uses its best values"
        f" (bold), found with {search.settings.get('shots')} images a class and seed {search.settings.get('seed')}."
    )
    return Section(
        "search", "How options were chosen", "tables.html.jinja", {"intro": intro, "tables": [_table(search)]}
    )


def _table(search: Search) -> Table:
    keys = list(dict.fromkeys(key for one in search.candidates for key in one.options))
    headings = [Heading("trainer and arm", number=False), *(Heading(key) for key in keys), Heading("score, %")]
    rows = []
    for one in search.candidates:
        values = [one.options.get(key, "") for key in keys]
        cells = [Cell(as_word(value), value if isinstance(value, (int, float)) else None) for value in values]
        score = Cell(f"{number(abs(one.mean))} ± {number(one.error)}", one.mean, best=one.chosen)
        rows.append([Cell(f"{one.trainer}, {one.arm}"), *cells, score])
    return Table("All candidates, mean over tasks ± standard error", headings, rows)
