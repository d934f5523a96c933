"""The tables of results for a terminal, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mvlpt.report.results.scores import Method
from mvlpt.report.results.summary import OVERALL, Cell
from mvlpt.report.results.table import Comparison, ResultsTable
from mvlpt.report.sheets import Column, Entry, Sheet, latex, markdown, rich_table

if TYPE_CHECKING:
    from rich.console import RenderableType

TABLES = ("scores", "summary", "tests", "gains")
SHOWN = ("scores", "summary", "tests")  # without a choice


def sheets(results: ResultsTable, tables: Sequence[str] = SHOWN, digits: int = 1) -> list[Sheet]:
    """The tables to draw, each with at least one row; ``gains`` gives one for each reference there is."""
    made = []
    for name in tables:
        if name == "scores":
            made.append(_scores_sheet(results, digits))
        elif name == "summary":
            made.append(_summary_sheet(results, digits))
        elif name == "tests":
            made.append(_tests_sheet(results, digits))
        else:
            made += [
                _gains_sheet(results, "zero-shot", lambda method: results.zero_shot, digits),
                _gains_sheet(results, "single-task", results.single, digits),
            ]
    return [sheet for sheet in made if sheet.rows]


def rich_tables(
    results: ResultsTable, tables: Sequence[str] = SHOWN, digits: int = 1, width: int = 120
) -> list[RenderableType]:
    """For a terminal of so many characters: wide tables are cut, and what to mind stands below."""
    parts = [part for sheet in sheets(results, tables, digits) for part in sheet.parts(width)]
    return [*map(rich_table, parts), *(f"- {note}" for note in results.notes)]


def as_markdown(results: ResultsTable, tables: Sequence[str] = SHOWN, digits: int = 1) -> str:
    """GitHub tables, then a list of what to mind."""
    blocks = [markdown(sheet) for sheet in sheets(results, tables, digits)]
    if results.notes:
        blocks.append("\n".join(f"- {note}" for note in results.notes))
    return "\n\n".join(blocks) + "\n"


def as_latex(results: ResultsTable, tables: Sequence[str] = SHOWN, digits: int = 1) -> str:
    """``table`` environments for a document that says ``\\usepackage{booktabs}``; the notes go under the first."""
    drawn = sheets(results, tables, digits)
    blocks = [latex(sheet, results.notes if sheet is drawn[0] else ()) for sheet in drawn]
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(blocks) + "\n"


def as_csv(results: ResultsTable, table: str = "scores") -> str:
    """One table, unrounded: a line for each task and method, for each method, or for each test."""
    rows = records(results)["scores" if table == "gains" else table]
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def as_json(results: ResultsTable) -> str:
    """All tables, unrounded, and the notes."""
    return json.dumps({**records(results), "notes": results.notes}, indent=2, ensure_ascii=False) + "\n"


def records(results: ResultsTable) -> dict[str, list[dict[str, Any]]]:
    """The tables ``scores``, ``summary`` and ``tests`` as rows with named fields; what is missing is ``None``."""
    scores = [
        _score_record(results, task, method, results.cell(method, task))
        for task in results.tasks
        for method in results.methods
    ]
    summary = [
        {
            **_method_fields(row.method),
            "mean": row.overall and row.overall.mean,
            "sd": row.overall and row.overall.sd,
            "seeds": " ".join(map(str, results.scores.seeds(row.method))),
            "tasks": len(results.common) or len(results.scores.tasks_of(row.method)),
            "gain_over_zero_shot": row.over_zero_shot,
            "gain_over_single": row.over_single,
            "average_rank": row.rank,
            **{f"mean_{name}": cell and cell.mean for name, cell in row.by_group.items()},
        }
        for row in results.summaries
    ]
    return {"scores": scores, "summary": summary, "tests": [_test_record(test) for test in results.comparisons]}


def _method_fields(method: Method) -> dict[str, Any]:
    return {"trainer": method.trainer, "arm": method.arm, "shots": method.shots, "group": method.group}


def _score_record(results: ResultsTable, task: str, method: Method, cell: Cell | None) -> dict[str, Any]:
    scores, single = results.scores, results.single(method)
    return {
        "task": task,
        "task_group": results.groups.get(task, ""),
        **_method_fields(method),
        "metric": scores.metric[task],
        "higher_is_better": scores.higher_is_better[task],
        "split": scores.split[task],
        "mean": cell and cell.mean,
        "sd": cell and cell.sd,
        "seeds": " ".join(map(str, scores.values.get((method, task), ()))),
        "gain_over_zero_shot": results.zero_shot
        and (None if method == results.zero_shot else scores.gain(method, results.zero_shot, task)),
        "gain_over_single": single and scores.gain(method, single, task),
    }


def _test_record(comparison: Comparison) -> dict[str, Any]:
    test = comparison.test
    return {
        "first": str(comparison.first),
        "second": str(comparison.second),
        "tasks": test.n,
        "differing": test.nonzero,
        "better": test.better,
        "worse": test.worse,
        "mean_difference": test.mean,
        "median_difference": test.median,
        "p": test.p,
        "p_holm": comparison.p_holm,
        "note": test.note,
    }


def _entry(cell: Cell | None, digits: int, best: float | None = None) -> Entry:
    if cell is None:
        return Entry()
    return Entry(cell.text(digits), bold=best is not None and round(cell.mean, digits) == round(best, digits))


def _signed(value: float | None, digits: int) -> str:
    if value is None:
        return ""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def _best(cells: Sequence[Cell | None], higher_is_better: bool = True) -> float | None:
    """The best mean, if there is something to be better than."""
    means = [cell.mean for cell in cells if cell is not None]
    return (max if higher_is_better else min)(means) if len(means) > 1 else None


def _many_shots(results: ResultsTable) -> bool:
    return len({method.shots for method in results.methods if not method.zero_shot}) > 1


def _heading(results: ResultsTable, method: Method) -> Column:
    """Tells the shots where they differ; otherwise the title does."""
    shots = () if method.zero_shot or not _many_shots(results) else (f"{method.shots}-shot",)
    return Column((*method.words, *shots))


def _shots_title(results: ResultsTable) -> str:
    shots = {method.shots for method in results.methods if not method.zero_shot}
    return f", {min(shots)}-shot" if len(shots) == 1 else ""


def _scores_sheet(results: ResultsTable, digits: int) -> Sheet:
    columns = [Column(("task",), left=True), *(_heading(results, method) for method in results.methods)]
    rows: list[tuple[Entry, ...] | None] = []
    before = None
    for task in results.tasks:
        if rows and results.groups and results.groups.get(task) != before:
            rows.append(None)
        before = results.groups.get(task)
        cells = [results.cell(method, task) for method in results.methods]
        best = _best(cells, results.scores.higher_is_better[task])
        rows.append((Entry(task), *(_entry(cell, digits, best) for cell in cells)))
    overall = [row.overall for row in results.summaries]
    if len(results.tasks) > 1 and results.common and any(overall):
        best = _best(overall, results.scores.higher_is_better[results.common[0]])
        name = "mean" if results.common == results.tasks else f"mean of {len(results.common)}"
        rows += [None, (Entry(name), *(_entry(cell, digits, best) for cell in overall))]
    metrics = ", ".join(sorted({results.scores.metric[task] for task in results.tasks}))
    title = f"Test score % ({metrics}){_shots_title(results)}: mean ± sd over seeds"
    return Sheet(title, tuple(columns), tuple(rows))


def _summary_sheet(results: ResultsTable, digits: int) -> Sheet:
    names, many = results.group_names, _many_shots(results)
    columns = [Column((name,), left=True) for name in ("trainer", "arm", *(["shots"] if many else []))]
    keys = len(columns)
    columns += [Column((name,)) for name in (*names, OVERALL)]
    columns += [Column(("over", "zero-shot")), Column(("over", "single")), Column(("average", "rank"))]
    columns += [] if results.common else [Column(("tasks",))]
    higher = all(results.scores.higher_is_better[task] for task in results.tasks)
    best = [_best([row.by_group[name] for row in results.summaries], higher) for name in names]
    best.append(_best([row.overall for row in results.summaries], higher))
    best = best if results.common else [None] * len(best)
    rows = []
    for row in results.summaries:
        trainer, *arm = row.method.words
        cells = [*(row.by_group[name] for name in names), row.overall]
        rows.append(
            (
                *(Entry(text) for text in (trainer, " ".join(arm))),
                *([Entry(str(row.method.shots or ""))] if many else []),
                *(_entry(cell, digits, top) for cell, top in zip(cells, best, strict=True)),
                Entry(_signed(row.over_zero_shot, digits)),
                Entry(_signed(row.over_single, digits)),
                Entry("" if row.rank is None else f"{row.rank:.2f}"),
                *([] if results.common else [Entry(str(len(results.scores.tasks_of(row.method))))]),
            )
        )
    count = len(results.common)
    over = f"{count} task{'s' * (count != 1)}" if count else "each method's own tasks"
    title = f"Mean test score % over {over}{_shots_title(results)}, ± sd over seeds; gains in points"
    return Sheet(title, tuple(columns), tuple(rows), keys)


def _tests_sheet(results: ResultsTable, digits: int) -> Sheet:
    columns = [Column(("first",), left=True), Column(("second",), left=True), Column(("tasks",))]
    columns += [Column(("better",)), Column(("worse",)), Column(("mean", "gain")), Column(("median", "gain"))]
    columns += [Column(("p",)), Column(("p", "(Holm)"))]
    rows = []
    for comparison in results.comparisons:
        test = comparison.test
        texts = [" ".join(_heading(results, method).lines) for method in (comparison.first, comparison.second)]
        texts += [str(test.n), str(test.better), str(test.worse)]
        texts += [_signed(test.mean, digits), _signed(test.median, digits)]
        texts += ["equal", ""] if test.p is None else [_p(test.p), _p(comparison.p_holm)]
        rows.append(tuple(map(Entry, texts)))
    title = f"First against second over tasks{_shots_title(results)}: Wilcoxon signed-rank test, two-sided"
    return Sheet(title, tuple(columns), tuple(rows), keys=2)


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def _gains_sheet(results: ResultsTable, over: str, reference: Callable[[Method], Method | None], digits: int) -> Sheet:
    others = {m: other for m in results.methods if (other := reference(m)) is not None and other != m}
    columns = (Column(("task",), left=True), *(_heading(results, method) for method in others))
    rows = [
        (
            Entry(task),
            *(Entry(_signed(results.scores.gain(method, other, task), digits)) for method, other in others.items()),
        )
        for task in results.tasks
    ]
    return Sheet(f"Gain over {over}, points (positive is better)", columns, tuple(rows) if others else ())
