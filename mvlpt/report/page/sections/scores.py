"""The score of every method on every task."""

from __future__ import annotations

from mvlpt.io import counted
from mvlpt.report.page import methods as names
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.html_tables import Cell, Heading, Table
from mvlpt.report.page.sections.tasks import anchors
from mvlpt.report.results import Method, ResultsTable


def build(content: Content) -> Section | None:
    """Nothing where no run has scores."""
    table = content.table
    if table is None:
        return None
    intro = f"{table.scores.kind.capitalize()} scores in percent, mean ± standard deviation over seeds."
    if len(table.methods) > 1:
        intro += " The best of a row is bold with a triangle. Choose a heading to sort."
    return Section(
        "scores",
        "Scores by task",
        "tables.html.jinja",
        {
            "intro": intro,
            "tables": [scores_table(content, table)],
            "notes": table.notes if len(table.methods) == 1 else (),
        },
    )


def scores_table(content: Content, table: ResultsTable) -> Table:
    """Tasks by methods; the last row is the mean over the tasks that all methods have."""
    links = anchors(content)
    metrics = {table.scores.metric[task] for task in table.tasks}
    headings = [Heading("task", number=False)]
    headings += [Heading("metric", number=False)] if len(metrics) > 1 else []
    headings += [_heading(method, table) for method in table.methods]
    rows = []
    for task in table.tasks:
        cells = [Cell(task, link=links.get(task, ""))]
        cells += [Cell(table.scores.metric[task])] if len(metrics) > 1 else []
        known = {method: table.cell(method, task) for method in table.methods}
        sign = 1 if table.scores.higher_is_better[task] else -1
        for method, cell in known.items():
            others = [one for other, one in known.items() if one and other.half == method.half]  # on the same classes
            top = max((round(sign * one.mean, 1) for one in others), default=None)
            best = cell is not None and len(others) > 1 and round(sign * cell.mean, 1) == top
            cells.append(Cell(cell.text(1) if cell else "–", cell.mean if cell else None, best=best))
        rows.append(cells)
    foot = []
    if table.common and len(table.tasks) > 1:
        count = len(table.common)
        cells = [Cell(f"mean over {counted(count, 'task')}"), *([Cell()] if len(metrics) > 1 else [])]
        best = names.best(table)
        for row in table.summaries:
            mean = row.overall.text(1) if row.overall else "–"
            cells.append(Cell(mean, best=row.method == best and len(table.methods) > 1))
        foot.append(cells)
    return Table(f"{table.scores.kind.capitalize()} score of every method on every task, percent", headings, rows, foot)


def _heading(method: Method, table: ResultsTable) -> Heading:
    if method.untrained:
        return Heading(names.arm_name(method), over=method.trainer)
    return Heading(names.arm_name(method), over=names.trainer_name(method.trainer, method.shots, table))
