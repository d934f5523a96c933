"""The tables of results, drawn as sheets: scores, summary, tests, gains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mvlpt.io import counted
from mvlpt.report.results.base_to_new import base_to_new
from mvlpt.report.results.method import Method, images_word
from mvlpt.report.results.summary import OVERALL, Cell
from mvlpt.report.results.table import ResultsTable
from mvlpt.report.sheets import Column, Entry, Sheet, signed

TABLES = ("scores", "summary", "base_to_new", "tests", "gains")
SHOWN = ("scores", "summary", "base_to_new", "tests")  # by default


def sheets(results: ResultsTable, tables: Sequence[str] = SHOWN, digits: int = 1) -> list[Sheet]:
    """The tables to draw, each with at least one row; ``gains`` gives one for each reference there is."""
    drawn = []
    for name in tables:
        if name == "scores":
            drawn.append(_scores_sheet(results, digits))
        elif name == "summary":
            drawn.append(_summary_sheet(results, digits))
        elif name == "base_to_new":
            drawn.append(_base_to_new_sheet(results, digits))
        elif name == "tests":
            drawn.append(_tests_sheet(results, digits))
        else:
            drawn += [
                _gains_sheet(results, "zero-shot", results.untrained, digits),
                _gains_sheet(results, "single-task", results.single, digits),
            ]
    return [sheet for sheet in drawn if sheet.rows]


def _entry(cell: Cell | None, digits: int, best: float | None = None) -> Entry:
    if cell is None:
        return Entry()
    return Entry(cell.text(digits), bold=best is not None and round(cell.mean, digits) == round(best, digits))


def _best(cells: Sequence[Cell | None], higher_is_better: bool = True) -> float | None:
    """The best mean of several; ``None`` where there is nothing to compare."""
    means = [cell.mean for cell in cells if cell is not None]
    return (max if higher_is_better else min)(means) if len(means) > 1 else None


def _entries(
    results: ResultsTable, cells: Sequence[Cell | None], digits: int, higher_is_better: bool = True
) -> list[Entry]:
    """A cell of each method, bold where it is the best of those that are tested on the same classes."""
    halves = [method.half for method in results.methods]
    best = {
        half: _best([cell for cell, one in zip(cells, halves, strict=True) if one == half], higher_is_better)
        for half in set(halves)
    }
    return [_entry(cell, digits, best[half]) for cell, half in zip(cells, halves, strict=True)]


def _many_shots(results: ResultsTable) -> bool:
    return len({method.shots for method in results.methods if not method.untrained}) > 1


def _heading(results: ResultsTable, method: Method) -> Column:
    """With the shots where they differ; otherwise they are in the title."""
    shots = () if method.untrained or not _many_shots(results) else (method.shots_word,)
    return Column((*method.words, *shots))


def _shots_title(results: ResultsTable) -> str:
    shots = {method.shots_word for method in results.methods if not method.untrained}
    return f", {min(shots)}" if len(shots) == 1 else ""


def _scores_sheet(results: ResultsTable, digits: int) -> Sheet:
    columns = [Column(("task",), left=True), *(_heading(results, method) for method in results.methods)]
    rows: list[tuple[Entry, ...] | None] = []
    before = None
    for task in results.tasks:
        if rows and results.groups and results.groups.get(task) != before:
            rows.append(None)
        before = results.groups.get(task)
        cells = [results.cell(method, task) for method in results.methods]
        rows.append((Entry(task), *_entries(results, cells, digits, results.scores.higher_is_better[task])))
    overall = [row.overall for row in results.summaries]
    if len(results.tasks) > 1 and results.common and any(overall):
        higher = results.scores.higher_is_better[results.common[0]]
        name = "mean" if results.common == results.tasks else f"mean of {len(results.common)}"
        rows += [None, (Entry(name), *_entries(results, overall, digits, higher))]
    metrics = ", ".join(sorted({results.scores.metric[task] for task in results.tasks}))
    title = f"{results.scores.kind.capitalize()} score % ({metrics}){_shots_title(results)}: mean ± sd over seeds"
    return Sheet(title, tuple(columns), tuple(rows))


def _summary_sheet(results: ResultsTable, digits: int) -> Sheet:
    names, many = results.group_names, _many_shots(results)
    columns = [Column((name,), left=True) for name in ("trainer", "arm", *(["shots"] if many else []))]
    keys = len(columns)
    columns += [Column((name,)) for name in (*names, OVERALL)]
    columns += [Column(("over", "zero-shot")), Column(("over", "single")), Column(("average", "rank"))]
    columns += [] if results.common else [Column(("tasks",))]
    higher = all(results.scores.higher_is_better[task] for task in results.tasks)
    means = [[row.by_group[name] for row in results.summaries] for name in names]
    means.append([row.overall for row in results.summaries])
    if results.common:
        drawn = [_entries(results, cells, digits, higher) for cells in means]
    else:
        drawn = [[_entry(cell, digits) for cell in cells] for cells in means]
    rows = []
    for row, *entries in zip(results.summaries, *drawn, strict=True):
        trainer, *arm = row.method.words
        rows.append(
            (
                *map(Entry, (trainer, " ".join(arm))),
                *([Entry(images_word(row.method.shots) if row.method.shots else "")] if many else []),
                *entries,
                Entry(signed(row.over_zero_shot, digits)),
                Entry(signed(row.over_single, digits)),
                Entry("" if row.rank is None else f"{row.rank:.2f}"),
                *([] if results.common else [Entry(str(len(results.scores.tasks_of(row.method))))]),
            )
        )
    count = len(results.common)
    over = counted(count, "task") if count else "each method's own tasks"
    title = f"Mean {results.scores.kind} score % over {over}{_shots_title(results)}, ± sd over seeds; gains in points"
    return Sheet(title, tuple(columns), tuple(rows), keys)


def _base_to_new_sheet(results: ResultsTable, digits: int) -> Sheet:
    columns = (
        Column(("trainer",), left=True),
        *(Column((name,)) for name in ("base", "new", "harmonic mean", "tasks")),
    )
    found = base_to_new(results.scores, results.methods)
    best = [_best([cells[i] for cells in found.values()]) for i in range(3)]
    rows = []
    for method, cells in found.items():
        words = [method.trainer, method.variant, method.shots_word if _many_shots(results) else ""]
        entries = [_entry(cell, digits, top) for cell, top in zip(cells, best, strict=True)]
        rows.append((Entry(" ".join(filter(None, words))), *entries, Entry(str(cells[0].tasks))))
    kind = results.scores.kind.capitalize()
    title = f"{kind} score % on classes that a prompt was tuned on, and on new ones{_shots_title(results)}"
    return Sheet(title, columns, tuple(rows))


def _tests_sheet(results: ResultsTable, digits: int) -> Sheet:
    columns = [Column(("first",), left=True), Column(("second",), left=True), Column(("tasks",))]
    columns += [Column(("better",)), Column(("worse",)), Column(("mean", "gain")), Column(("median", "gain"))]
    columns += [Column(("p",)), Column(("p", "(Holm)"))]
    rows = []
    for comparison in results.comparisons:
        test = comparison.test
        fields = [" ".join(_heading(results, method).lines) for method in (comparison.first, comparison.second)]
        fields += [str(test.n), str(test.better), str(test.worse)]
        fields += [signed(test.mean, digits), signed(test.median, digits)]
        fields += ["equal", ""] if test.p is None else [_p(test.p), _p(comparison.p_holm)]
        rows.append(tuple(map(Entry, fields)))
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
            *(Entry(signed(results.scores.gain(method, other, task), digits)) for method, other in others.items()),
        )
        for task in results.tasks
    ]
    return Sheet(f"Gain over {over}, points (positive is better)", columns, tuple(rows) if others else ())
