"""Every method over all tasks: mean, deviation, gains, rank; and the paired tests."""

from __future__ import annotations

from mvlpt.io import counted
from mvlpt.report.page import methods as names
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.html_tables import Cell, Heading, Table, number
from mvlpt.report.results import ResultsTable, images_word


def build(content: Content) -> Section | None:
    """Nothing where no run has scores, or where there is one method."""
    table = content.table
    if table is None or len(table.methods) == 1:
        return None
    return Section(
        "methods",
        "Methods",
        "tables.html.jinja",
        {
            "intro": _intro(table),
            "tables": [one for one in (_summary(table), _tests(table)) if one.rows],
            "notes": table.notes,
        },
    )


def _intro(table: ResultsTable) -> str:
    count = len(table.common)
    over = f"the {counted(count, 'task')} that every method has" if count else "each method's own tasks"
    return f"Means over {over}; ± is the standard deviation over seeds. Gains are in points, positive is better."


def _summary(table: ResultsTable) -> Table:
    best = names.best(table)
    several = len({m.shots for m in table.methods if not m.untrained}) > 1
    headings = [Heading("method", number=False)]
    headings += [Heading("images a class")] if several else []
    headings += [Heading(f"mean {table.scores.kind} score %")]
    headings += [Heading(name, over="mean of") for name in table.group_names]
    headings += [Heading("over zero-shot"), Heading("over single-task"), Heading("average rank")]
    rows = []
    for row in table.summaries:
        name = row.method.trainer if row.method.zero_shot else f"{row.method.trainer} {names.arm_name(row.method)}"
        cells = [Cell(f"{name} (zero-shot)" if row.method.zero_shot else name)]
        cells += [Cell(images_word(row.method.shots), row.method.shots)] if several else []
        for cell in (row.overall, *(row.by_group.get(name) for name in table.group_names)):
            first = cell is row.overall and row.method == best
            cells.append(Cell(cell.text(1) if cell else "–", cell.mean if cell else None, best=first))
        gains = (row.over_zero_shot, row.over_single)
        cells += [Cell(number(gain, sign=True), gain) for gain in gains]
        cells.append(Cell(number(row.rank), row.rank))
        rows.append(cells)
    return Table("Every method over all tasks", headings, rows)


def _tests(table: ResultsTable) -> Table:
    headings = [Heading("first", number=False), Heading("compared with", number=False)]
    headings += [Heading(name) for name in ("tasks", "better", "worse", "mean difference", "p", "p (Holm)")]
    rows = []
    for one in table.comparisons:
        test = one.test
        cells = [Cell(names.short_name(m, table)) for m in (one.first, one.second)]
        cells += [Cell(str(count), count) for count in (test.n, test.better, test.worse)]
        cells.append(Cell(number(test.mean, sign=True), test.mean))
        cells += [Cell(_p(p), p) for p in (test.p, one.p_holm)]
        rows.append(cells)
    caption = f"{counted(len(rows), 'paired test')} over tasks (Wilcoxon's signed-rank test, two-sided)"
    return Table(caption, headings, rows, folded=True)


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}" if value < 0.01 else f"{value:.2f}"
