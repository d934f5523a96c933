"""What was chosen for each task by the folds of its training images, and why."""

from __future__ import annotations

from typing import Any

from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.html_tables import Cell, Heading, Table, number
from mvlpt.report.page.sections.tasks import anchors

SCORED = (
    "They were scored on parts of the training images that were left out, and what other tasks gained elsewhere counts,"
    " too: so an estimated gain is not just the difference of two scores."
)
KNOWN = "What other tasks gained elsewhere decides; nothing was trained."
RULE = (
    "No test image was used. For each task the simplest candidate within one standard error of the best is taken, if no"
    " simpler one has a higher estimate."
)


def build(content: Content) -> Section | None:
    """Nothing where nothing was chosen."""
    if not content.choices:
        return None
    tables = [table for name, choice in content.choices for table in _tables(name, choice, content)]
    trained = [bool(choice.settings.get("runs", 1)) for _, choice in content.choices]
    intro = f"Candidates are ways to share prompts. {SCORED if any(trained) else KNOWN} {RULE}"
    if len(set(trained)) == 2:
        intro += " Where no scores are shown, nothing was trained."
    return Section("choices", "What was chosen for each task", "tables.html.jinja", {"intro": intro, "tables": tables})


def _tables(name: str, choice: Any, content: Content) -> list[Table]:
    links = anchors(content)
    of = name.removeprefix("choice").lstrip("-")
    suffix = f", {of}" if of else ""
    rows = [
        [
            Cell(one.task, link=links.get(one.task, "")),
            Cell(one.candidate),
            Cell(f"{number(one.gain, sign=True)} ± {number(one.gain_error)}", one.gain),
            Cell(one.reason),
        ]
        for one in choice.choices
    ]
    chosen = Table(
        f"The choice for each task{suffix}",
        [
            *(Heading("task", number=False), Heading("choice", number=False)),
            *(Heading("estimated gain, points"), Heading("reason", number=False, long=True)),
        ],
        rows,
    )
    candidates = _candidates(choice, suffix)
    return [chosen, candidates] if candidates.rows else [chosen]


def _candidates(choice: Any, suffix: str) -> Table:
    headings = [Heading("candidate", number=False), *(Heading(task) for task in choice.tasks)]
    taken = {one.task: one.candidate for one in choice.choices}
    rows = []
    for row, candidate in enumerate(choice.candidates):
        if all(score != score for score in choice.scores[row]):  # there was no budget left for it
            continue
        cells = [Cell(candidate.name)]
        for column, task in enumerate(choice.tasks):
            score, error = float(choice.scores[row, column]), float(choice.errors[row, column])
            text = f"{number(score)} ± {number(error)}" if score == score else "–"
            cells.append(
                Cell(text, score if score == score else None, best=taken[task] == candidate.name, mark="chosen")
            )
        rows.append(cells)
    caption = f"Scores of the candidates on left-out training images, the chosen ones bold{suffix}"
    return Table(caption, headings, rows, folded=True)
