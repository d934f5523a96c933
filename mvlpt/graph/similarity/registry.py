"""The similarities by name. Adding one takes a function and one call of :func:`register_similarity`.

    @register_similarity("label.count", inputs=("class_names",))
    def class_count_ratio(names_a, names_b):
        return min(len(names_a), len(names_b)) / max(len(names_a), len(names_b))

A registered similarity is computed for every task graph, can be weighted (``--similarity label.count=1``) and is fitted
to measured transfer, like those of this package. Shapes: T tasks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, suggest
from mvlpt.graph.checks import TOLERANCE, check_tasks
from mvlpt.graph.embeddings.embedding import TaskEmbedding
from mvlpt.graph.similarity import label, visual

INPUTS = (*(field.name for field in dataclasses.fields(TaskEmbedding)), "root")


@dataclasses.dataclass(frozen=True)
class Similarity:
    """How similar two tasks are, from 0 to 1.

    Attributes:
        name: such as ``visual.frechet``.
        function: takes the inputs of the first task, then those of the second, and returns a number in [0, 1] that is
            1 for equal tasks.
        inputs: the attributes of :class:`~mvlpt.graph.TaskEmbedding` that the function takes; a string is one of them.
        symmetric: whether swapping the tasks does not change the value; if not, both directions are averaged.

    Raises:
        GraphError: an input is not an attribute of a task embedding, or the name is invalid.
    """

    name: str
    function: Callable[..., float]
    inputs: tuple[str, ...]
    symmetric: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", (self.inputs,) if isinstance(self.inputs, str) else tuple(self.inputs))
        if not self.name or not self.name.isprintable() or any(c in "=, " for c in self.name):
            raise GraphError(f"A similarity cannot be named {self.name!r}; use printable characters other than '=, '")
        for key in self.inputs:
            if key not in INPUTS:
                raise GraphError(f"A task embedding has no input '{key}' for '{self.name}'{suggest(key, INPUTS)}")

    def __call__(self, a: TaskEmbedding, b: TaskEmbedding) -> float:
        """The similarity of two tasks.

        Raises:
            GraphError: the value is outside [0, 1].
        """
        first, second = ([getattr(task, key) for key in self.inputs] for task in (a, b))
        value = float(self.function(*first, *second))
        if not self.symmetric:
            value = (value + float(self.function(*second, *first))) / 2
        if not -TOLERANCE <= value <= 1 + TOLERANCE:
            raise GraphError(
                f"The similarity '{self.name}' of '{a.name}' and '{b.name}' is {value:.6g}; it must be between 0 and 1"
            )
        return min(1.0, max(0.0, value))


SIMILARITIES: dict[str, Similarity] = {}

# Short names of the defaults. Fréchet sees where the images lie and how they spread, and ignores the labels, which
# would count twice beside "label". Chamfer does not confuse a different number of classes with different classes.
ALIASES = {"visual": "visual.frechet", "label": "label.chamfer"}


def register_similarity(
    name: str,
    function: Callable[..., float] | None = None,
    *,
    inputs: Iterable[str],
    symmetric: bool = True,
    force: bool = False,
) -> Callable[..., Any]:
    """Registers a similarity; without ``function``, returns a decorator that does.

    Args:
        name: the name in weights and task graphs.
        function: see :class:`Similarity`.
        inputs: see :class:`Similarity`.
        symmetric: see :class:`Similarity`.
        force: replace a similarity of the same name.

    Raises:
        GraphError: the name is taken or invalid, or an input does not exist.
    """
    if function is None:
        return lambda decorated: register_similarity(name, decorated, inputs=inputs, symmetric=symmetric, force=force)
    if name in ALIASES or (name in SIMILARITIES and not force):
        raise GraphError(f"A similarity named '{name}' is registered already; choose another name or pass force=True")
    SIMILARITIES[name] = Similarity(name, function, inputs, symmetric)
    return function


for _name, _function, _inputs in (
    ("visual.mean", visual.mean_cosine, ("mean",)),
    ("visual.frechet", visual.frechet, ("mean", "root")),
    ("visual.prototypes", visual.prototype_matching, ("prototypes",)),
    ("visual.cka", visual.covariance_alignment, ("covariance",)),
    ("visual.transport", visual.transport, ("prototypes", "text", "counts")),
    ("label.mean", label.mean_cosine, ("text",)),
    ("label.chamfer", label.chamfer, ("text",)),
    ("label.matching", label.one_to_one, ("text",)),
    ("label.names", label.name_overlap, ("class_names",)),
):
    register_similarity(_name, _function, inputs=_inputs)


def resolve(name: str, known: Iterable[str] = SIMILARITIES) -> str:
    """The full name of a similarity; ``visual`` and ``label`` are short for :data:`ALIASES`.

    Args:
        name: a name or an alias.
        known: the names that exist.

    Raises:
        GraphError: there is no such similarity; the nearest is suggested.
    """
    known = tuple(known)
    if name in known:
        return name
    if ALIASES.get(name) in known:
        return ALIASES[name]
    aliases = [alias for alias, full in ALIASES.items() if full in known]
    raise GraphError(f"There is no similarity '{name}'{suggest(name, [*aliases, *known])}")


def similarity_matrices(
    embeddings: Sequence[TaskEmbedding],
    names: Iterable[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Every similarity of every pair of tasks.

    Args:
        embeddings: of T tasks.
        names: the similarities, or their aliases; all of :data:`SIMILARITIES` by default.
        progress: called with the pairs done and their number, both summed over the similarities.

    Returns:
        Full name to (T, T) float64, symmetric, 1 on the diagonal, in the order of ``embeddings``.

    Raises:
        GraphError: an unknown similarity, a repeated task, features of different widths, or a value outside [0, 1].
    """
    wanted = list(dict.fromkeys(resolve(name) for name in (SIMILARITIES if names is None else names)))
    check_tasks([embedding.name for embedding in embeddings])
    for other in embeddings[1:]:
        if other.width != embeddings[0].width:
            raise GraphError(
                f"Tasks '{embeddings[0].name}' and '{other.name}' have features of width {embeddings[0].width} and "
                f"{other.width}; embed all tasks with one model"
            )
    size = len(embeddings)
    total, done = len(wanted) * size * (size - 1) // 2, 0
    matrices = {}
    for name in wanted:
        matrix = np.eye(size)
        for i in range(size):
            for j in range(i + 1, size):
                # each pair in the order of its names, so that rounding does not depend on the order of the tasks
                a, b = sorted((embeddings[i], embeddings[j]), key=lambda embedding: embedding.name)
                matrix[i, j] = matrix[j, i] = SIMILARITIES[name](a, b)
            done += size - 1 - i
            if progress is not None and i < size - 1:
                progress(done, total)
        matrices[name] = matrix
    return matrices
