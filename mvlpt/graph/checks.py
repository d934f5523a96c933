"""What a task list and a matrix must be before anything is computed from them.

Shapes: T tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, suggest

TOLERANCE = 1e-6  # what rounding in single precision may do to a similarity


def check_tasks(tasks: Iterable[str], what: str = "The task graph") -> tuple[str, ...]:
    """The task names as a tuple.

    Args:
        tasks: in the order of the matrices' rows.
        what: the beginning of the error sentence.

    Raises:
        GraphError: no task, a task twice, a name that is not printable text.
    """
    names = (tasks,) if isinstance(tasks, str) else tuple(tasks)
    if not names:
        raise GraphError(f"{what} needs at least one task")
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise GraphError(f"{what} holds a task named {name!r}; a name is printable text")
        if name in seen:
            raise GraphError(f"{what} holds the task '{name}' twice; names must differ")
        seen.add(name)
    return names


def index_of(tasks: Sequence[str], wanted: Iterable[str], what: str = "The task graph") -> list[int]:
    """The positions of some tasks.

    Raises:
        GraphError: a task that is not there; the nearest name is suggested.
    """
    places = {name: place for place, name in enumerate(tasks)}
    indices = []
    for name in wanted:
        if name not in places:
            raise GraphError(f"{what} has no task '{name}'{suggest(str(name), places)}")
        indices.append(places[name])
    return indices


def check_matrix(
    matrix: Any, tasks: Sequence[str] | int | None = None, *, name: str = "matrix", missing: bool = False
) -> np.ndarray:
    """A square matrix of finite numbers, as a new array.

    The diagonal says nothing about a pair of tasks: NaN there becomes 0.

    Args:
        matrix: (T, T), anything that numpy makes an array of.
        tasks: the tasks, or their number, that the matrix must be as large as.
        name: what the error sentence calls the matrix.
        missing: whether NaN is allowed off the diagonal, where it stands for a pair that was not measured.

    Returns:
        (T, T) float64.

    Raises:
        GraphError: it is not square, not of numbers, of another size than the tasks, empty, infinite, or NaN.
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
    """As :func:`check_matrix`, and equal to its transpose; rounding is averaged away.

    Raises:
        GraphError: as :func:`check_matrix`, or the two triangles differ.
    """
    array = check_matrix(matrix, tasks, name=name)
    gap = np.abs(array - array.T)
    if (gap > TOLERANCE * np.maximum(1.0, np.abs(array))).any():
        i, j = np.unravel_index(np.argmax(gap), gap.shape)
        names = tuple(map(str, range(len(array)))) if tasks is None or isinstance(tasks, int) else tuple(tasks)
        raise GraphError(
            f"The {name} is not symmetric: {array[i, j]:.6g} from '{names[i]}' to '{names[j]}', {array[j, i]:.6g} "
            "back; give a similarity, or average both directions"
        )
    return array if not gap.any() else (array + array.T) / 2


def check_similarity(matrix: Any, tasks: Sequence[str] | int | None = None, *, name: str = "similarity") -> np.ndarray:
    """As :func:`check_symmetric`, and within [0, 1]; the diagonal becomes 1.

    Raises:
        GraphError: as :func:`check_symmetric`, or a value lies outside [0, 1].
    """
    array = check_symmetric(matrix, tasks, name=name)
    np.fill_diagonal(array, 1.0)
    if array.min() < -TOLERANCE or array.max() > 1 + TOLERANCE:
        worst = array.min() if array.min() < -TOLERANCE else array.max()
        raise GraphError(f"The {name} holds {worst:.6g}; a similarity lies between 0 and 1")
    return array.clip(0.0, 1.0)
