"""Gains read from the rows of pair runs: checked on a table small enough to work out by hand."""

import numpy as np
import pytest

from mvlpt.errors import GraphError
from mvlpt.graph.affinity.measured import fill_one_sided, measured_gains

TASKS = ["a", "b", "c"]


def row(arm, task, value, group="", seed=1, **other):
    base = {"run": f"{arm}-{group or task}-{seed}", "trainer": "MVLPT-VPT", "arm": arm, "group": group, "task": task}
    base |= {"split": "test", "metric": "accuracy", "value": value, "higher_is_better": True}
    return base | {"shots": 1, "seed": seed, "epoch": 30, "n": 10} | other


ROWS = [
    row("single", "a", 50.0),
    row("single", "b", 40.0),
    row("single", "c", 60.0),
    row("single", "a", 52.0, seed=2),
    row("single", "b", 44.0, seed=2),
    row("pair", "a", 55.0, "a+b"),
    row("pair", "b", 43.0, "a+b"),
    row("pair", "a", 53.0, "a+b", seed=2),
    row("pair", "b", 43.0, "a+b", seed=2),
    row("pair", "b", 30.0, "c+b"),
    row("pair", "c", 66.0, "c+b"),
    row("pair", "c", 99.0, "c+b", seed=2),  # no run of c alone with this seed
    row("zero_shot", "a", 20.0),
    row("all", "a", 20.0, "a+b+c"),
    row("pair", "a", 99.0, "a+b", split="val"),
]
NAN = float("nan")


def test_by_hand():
    expected = [[NAN, 1.0, NAN], [3.0, NAN, 6.0], [NAN, -10.0, NAN]]
    np.testing.assert_allclose(measured_gains(ROWS, TASKS), expected)


def test_the_order_of_tasks_and_rows_does_not_matter():
    order = [2, 0, 1]
    turned = measured_gains(ROWS[::-1], [TASKS[i] for i in order])
    np.testing.assert_allclose(turned, measured_gains(ROWS, TASKS)[np.ix_(order, order)])


def test_a_metric_where_lower_is_better_reverses_the_sign():
    rows = [{**one, "higher_is_better": False} for one in ROWS]
    np.testing.assert_allclose(measured_gains(rows, TASKS), -measured_gains(ROWS, TASKS))


def test_transfer_has_one_direction_only():
    rows = [*ROWS[:5], row("transfer", "a", 1.0, "together"), row("transfer", "b", 47.0, "a")]
    gains = measured_gains(rows, TASKS)
    assert gains[0, 1] == 7.0
    assert np.isnan(gains).sum() == 8
    both = [*ROWS, rows[-1]]
    assert measured_gains(both, TASKS)[0, 1] == 1.0  # pair runs come first
    assert measured_gains(both, TASKS, arm="transfer")[0, 1] == 7.0


def test_names_that_contain_the_separator():
    rows = [row("single", "x+y", 10.0), row("pair", "x+y", 12.0, "x+y+z"), row("single", "y+z", 1.0)]
    gains = measured_gains(rows, ["x+y", "z", "y+z"])
    assert gains[1, 0] == 2.0
    assert np.isnan(gains).sum() == 8


def test_the_last_epoch_counts():
    rows = [*ROWS[:3], row("pair", "a", 1.0, "a+b", epoch=10), row("pair", "a", 51.0, "a+b")]
    assert measured_gains(rows, TASKS)[1, 0] == 1.0


@pytest.mark.parametrize(
    ("rows", "options", "sentence"),
    [
        (ROWS[:5], {}, "no run of two"),
        (ROWS[5:], {}, "no gain can be computed"),
        (ROWS, {"arm": "pear"}, "did you mean 'pair'"),
        (ROWS, {"shots": 4}, "No pair run has shots 4; there are 1"),
        ([*ROWS, row("pair", "a", 1.0, "a+b", trainer="MVLPT-UPT")], {}, "MVLPT-UPT, MVLPT-VPT.*--trainer"),
        ([*ROWS, row("pair", "a", 1.0, "a+b", run="again")], {}, "two runs .* 'a.b' .* keep one"),
        ([*ROWS, row("single", "a", 1.0, run="again")], {}, "two runs"),
    ],
)
def test_invalid_input_is_refused(rows, options, sentence):
    with pytest.raises(GraphError, match=sentence):
        measured_gains(rows, TASKS, **options)


def test_a_missing_direction_is_filled_with_the_other():
    gains = np.array([[NAN, 1.0, 4.0], [3.0, NAN, 6.0], [NAN, -10.0, NAN]])
    np.testing.assert_allclose(fill_one_sided(gains, TASKS), [[0, 1, 4], [3, 0, 6], [4, -10, 0]])
    np.testing.assert_allclose(fill_one_sided(gains.tolist(), TASKS), fill_one_sided(gains, TASKS))
    with pytest.raises(GraphError, match="measured gains is 3 x 3 and not 2 x 2"):
        fill_one_sided(gains, TASKS[:2])
    with pytest.raises(GraphError, match="1 of 3 pairs were not measured, for example 'a' with 'c'"):
        fill_one_sided(measured_gains(ROWS, TASKS), TASKS)
