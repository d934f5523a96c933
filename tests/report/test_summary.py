"""Means over tasks, then over seeds, against numbers worked out by hand."""

import pytest

from mvlpt.report import summarise
from mvlpt.report.summary import OVERALL


def row(task, value, seed, arm="single", split="test"):
    return {"trainer": "T", "arm": arm, "shots": 1, "task": task, "value": value, "seed": seed, "split": split}


LOOKS = {"a": "plain", "b": "plain", "c": "dark"}


def test_means_and_deviations():
    rows = [row("a", 10, 1), row("b", 30, 1), row("c", 50, 1), row("a", 20, 2), row("b", 40, 2), row("c", 90, 2)]
    cells = summarise([*rows, row("a", 0, 1, split="val")], LOOKS)["T", "single", 1]
    assert (cells["plain"].mean, cells["plain"].tasks, cells["plain"].seeds) == (25, 2, 2)
    assert cells["plain"].sd == pytest.approx(7.0710678)  # of 20 and 30
    assert cells[OVERALL].mean == 40
    assert str(cells[OVERALL]) == "40.0 ± 14.1"  # of 30 and 50


def test_one_seed_has_no_deviation_and_arms_stay_apart():
    table = summarise([row("a", 10, 1), row("a", 70, 1, arm="all")], LOOKS)
    assert str(table["T", "single", 1]["plain"]) == "10.0"
    assert table["T", "all", 1][OVERALL].mean == 70
    assert table["T", "all", 1][OVERALL].sd is None


def test_seeds_over_other_tasks_are_not_averaged():
    with pytest.raises(ValueError, match="do not cover the same tasks"):
        summarise([row("a", 1, 1), row("b", 1, 2)], LOOKS)
