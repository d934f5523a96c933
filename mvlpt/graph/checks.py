"""Checks of task lists and matrices before anything is computed from them.

Shapes: T tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, suggest

TOLERANCE = 1e-6  # rounding in single precision, relative to the largest value


def check_tasks(tasks: Iterable[str], what: str = "The task graph") -> tuple[str, ...]:
    """The task names as a tuple.

    Args:
        tasks: in the order of the matrices' rows.
        what: the subject of the error message.

    Raises:
        GraphError: no task, a repeated task, or a name that is not a printable string.
    """
    names = (tasks,) if isinstance(tasks, str) else tuple(tasks)
    if not names:
        raise GraphError(f"{what} needs at least one task")
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise GraphError(f"{what} has a task named {name!r}; a name is a printable string")
        if name in seen:
            raise GraphError(f"{what} has the task '{name}' twice; names must differ")
        seen.add(name)
    return names


def index_of(tasks: Sequence[str], wanted: Iterable[str], what: str = "The task graph") -> list[int]:
    """The indices of some tasks.

    Raises:
        GraphError: an unknown task; the nearest name is suggested.
    """
    index = {name: i for i, name in enumerate(tasks)}
    indices = []
    for name in wanted:
        if name not in index:
            raise GraphError(f"{what} has no task '{name}'{suggest(str(name), index)}")
        indices.append(index[name])
    return indices


def check_matrix(
    matrix: Any, tasks: Sequence[str] | int | None = None, *, name: str = "matrix", missing: bool = False
) -> np.ndarray:
    """A square matrix of finite numbers, as a new array.

    NaN on the diagonal becomes 0, since the diagonal describes no pair of tasks.

    Args:
        matrix: (T, T), an array or nested sequences.
        tasks: the tasks, or their number; the matrix needs a row for each.
        name: of the matrix in the error message.
        missing: whether NaN, for a pair that was not measured, is allowed.

    Returns:
        (T, T) float64.

    Raises:
        GraphError: it is not numeric, not square, of the wrong size, empty, infinite, or NaN.
    """
    try:
        array = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise GraphError(f"The {name} is not a table of numbers; give a square array") from None
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
        raise GraphError(f"The {name} has shape {array.shape}; it must be square, a row and a column for each task")
    size = array.shape[0]
    names = tuple(map(str, range(size))) if tasks is None or isinstance(tasks, int) else tuple(tasks)
    expected = size if tasks is None else tasks if isinstance(tasks, int) else len(names)
    if size != expected:
        raise GraphError(
            f"The {name} is {size} x {size} and not {expected} x {expected}, a row and a column for each task"
        )
    diagonal = np.diagonal(array)
    np.fill_diagonal(array, np.where(np.isnan(diagonal), 0.0, diagonal))
    wrong = np.isinf(array) if missing else ~np.isfinite(array)
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise GraphError(f"The {name} is {array[i, j]} for '{names[i]}' and '{names[j]}'; every value must be finite")
    return array


def check_symmetric(matrix: Any, tasks: Sequence[str] | int | None = None, *, name: str = "matrix") -> np.ndarray:
    """Like :func:`check_matrix`, for a symmetric matrix; asymmetry from rounding is averaged out.

    Raises:
        GraphError: as :func:`check_matrix`, or the matrix is not symmetric.
    """
    array = check_matrix(matrix, tasks, name=name)
    gap = np.abs(array - array.T)
    if gap.max() > TOLERANCE * max(1.0, np.abs(array).max()):
        i, j = np.unravel_index(np.argmax(gap), gap.shape)
        names = tuple(map(str, range(len(array)))) if tasks is None or isinstance(tasks, int) else tuple(tasks)
        raise GraphError(
            f"The {name} is not symmetric: {array[i, j]:.6g} from '{names[i]}' to '{names[j]}', {array[j, i]:.6g} "
            "back; give a symmetric matrix, or average both directions"
        )
    return array if not gap.any() else (array + array.T) / 2


def check_similarity(matrix: Any, tasks: Sequence[str] | int | None = None, *, name: str = "similarity") -> np.ndarray:
    """Like :func:`check_symmetric`, for values in [0, 1]; the diagonal becomes 1.

    Raises:
        GraphError: as :func:`check_symmetric`, or a value lies outside [0, 1].
    """
    array = check_symmetric(matrix, tasks, name=name)
    np.fill_diagonal(array, 1.0)
    if array.min() < -TOLERANCE or array.max() > 1 + TOLERANCE:
        worst = array.min() if array.min() < -TOLERANCE else array.max()
        raise GraphError(f"The {name} contains {worst:.6g}; a similarity lies between 0 and 1")
    return array.clip(0.0, 1.0)
