"""The tables of results as rows with named fields, unrounded."""

from __future__ import annotations

from typing import Any

from mvlpt.report.results.comparisons import Comparison
from mvlpt.report.results.method import Method
from mvlpt.report.results.summary import Cell
from mvlpt.report.results.table import ResultsTable


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
    variant = {"variant": method.variant} if method.variant else {}
    return {"trainer": method.trainer, "arm": method.arm, "shots": method.shots, "group": method.group, **variant}


def _score_record(results: ResultsTable, task: str, method: Method, cell: Cell | None) -> dict[str, Any]:
    scores, single, untrained = results.scores, results.single(method), results.untrained(method)
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
        "gain_over_zero_shot": untrained and scores.gain(method, untrained, task),
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
