"""Invalid task lists and matrices are refused in one sentence."""

import numpy as np
import pytest

from mvlpt.errors import GraphError
from mvlpt.graph.checks import check_matrix, check_similarity, check_symmetric, check_tasks, index_of

TASKS = ("cats", "dogs", "eels")


def with_value(value, i=0, j=2):
    matrix = np.full((3, 3), 0.5)
    matrix[i, j] = value
    return matrix


@pytest.mark.parametrize(
    ("tasks", "sentence"),
    [
        ([], "at least one task"),
        (["cats", "dogs", "cats"], "'cats' twice"),
        (["cats", ""], "named ''"),
        (["cats", "do\ngs"], "printable"),
        (["cats", 3], "named 3"),
    ],
)
def test_task_lists(tasks, sentence):
    with pytest.raises(GraphError, match=sentence):
        check_tasks(tasks)


def test_an_unknown_task_suggests_the_nearest():
    assert index_of(TASKS, ["eels", "cats"]) == [2, 0]
    with pytest.raises(GraphError, match="no task 'dog'; did you mean 'dogs'"):
        index_of(TASKS, ["dog"])


@pytest.mark.parametrize(
    ("check", "matrix", "sentence"),
    [
        (check_matrix, np.zeros((3, 2)), r"shape \(3, 2\); it must be square"),
        (check_matrix, np.zeros((0, 0)), "must be square"),
        (check_matrix, np.zeros((2, 2)), "2 x 2 and not 3 x 3"),
        (check_matrix, [["a", "b"]], "not a table of numbers"),
        (check_matrix, [[1, 2, 3], [1, 2], [1]], "not a table of numbers"),
        (check_matrix, with_value(np.nan), "nan for 'cats' and 'eels'"),
        (check_matrix, with_value(np.inf), "inf for 'cats' and 'eels'"),
        (check_symmetric, with_value(0.7), "0.7 from 'cats' to 'eels', 0.5 back"),
        (check_similarity, with_value(0.7), "not symmetric"),
        (check_similarity, np.full((3, 3), 1.2), r"contains 1\.2; a similarity lies between 0 and 1"),
        (check_similarity, np.full((3, 3), -0.2), r"contains -0\.2"),
    ],
)
def test_matrices(check, matrix, sentence):
    with pytest.raises(GraphError, match=sentence):
        check(matrix, TASKS)


def test_the_input_is_not_changed():
    given = with_value(0.5)
    kept = given.copy()
    out = check_similarity(given, TASKS)
    out[0, 1] = 9
    assert np.array_equal(given, kept)
    assert out.diagonal().tolist() == [1, 1, 1]


def test_missing_pairs_and_an_empty_diagonal():
    matrix = with_value(np.nan)
    np.fill_diagonal(matrix, np.nan)
    out = check_matrix(matrix, 3, missing=True)
    assert np.isnan(out[0, 2])
    assert out.diagonal().tolist() == [0, 0, 0]
    with pytest.raises(GraphError, match="inf"):
        check_matrix(with_value(np.inf), missing=True)


def test_rounding_is_averaged_out_and_exact_symmetry_is_kept():
    rough = with_value(0.5 + 1e-9)
    out = check_symmetric(rough)
    assert np.array_equal(out, out.T)
    exact = with_value(1 / 3)
    exact[2, 0] = 1 / 3
    assert np.array_equal(check_symmetric(exact), exact)
