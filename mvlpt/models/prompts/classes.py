"""Trained weights of classes beside a text tower that other classes still use; a class is known by its name.

Selective inference (Farina et al., arXiv 2503.11609, section 4.2): classes that were trained on have weights of their
own, and any other class is encoded by the text tower. A checkpoint holds the weights with a code for each class, so
that they find their classes in any order, among others, or for a part of the tasks.

Shape legend: K classes, E width of features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PREFIX = "classes."  # of the names of parameters in checkpoints
NUMBERS = 4  # a code is 64 bits as numbers of 16 bits, which every floating-point type of 32 bits holds exactly


class ClassWeights(nn.Module):
    """Holds ``weight`` (K, E), a row of zeros for a class that the text tower encodes, and ``codes`` (K, 2, 4).

    Codes follow from the name of a class together with its task's, and from the name of the class alone.

    Args:
        count: K.
        width: E.
        dtype: of the weights.
    """

    def __init__(self, count: int, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(count, width, dtype=dtype))
        self.register_buffer("codes", torch.zeros(count, 2, NUMBERS))

    def identify(self, names: Sequence[str], tasks: Sequence[str]) -> None:
        """Says which classes these are: K names, and the name of each one's task, empty where it is not known."""
        rows = [[_code(f"{task}\0{name}"), _code(name)] for name, task in zip(names, tasks, strict=True)]
        self.codes.copy_(torch.tensor(rows))

    @property
    def trained(self) -> Tensor:
        """(K,), bool: which classes have weights."""
        return (self.weight.detach() != 0).any(dim=1)

    @torch.no_grad()
    def start(self, features: Tensor) -> None:
        """Gives the classes without weights their text features (K, E)."""
        missing = ~self.trained
        self.weight[missing] = features[missing].to(self.weight.dtype)

    @torch.no_grad()
    def clear(self) -> None:
        """Takes the weights of all classes away."""
        self.weight.zero_()

    def features(self, classes: Sequence[int] | None, encode: Callable[[Sequence[int] | None], Tensor]) -> Tensor:
        """What images are compared with, of length one: weights where there are some, else features of the text.

        Args:
            classes: which K' classes; ``None`` for all.
            encode: text features (K'', E), of length one, of some classes or of all (``None``).

        Returns:
            (K', E).
        """
        trained = self.trained.tolist()
        asked = list(range(len(trained))) if classes is None else list(classes)
        missing = [number for number in asked if not trained[number]]
        if len(missing) == len(asked):
            return encode(classes)
        weights = F.normalize(self.weight if classes is None else self.weight[asked], dim=-1)
        if not missing:
            return weights
        rows = torch.tensor([row for row, number in enumerate(asked) if not trained[number]], device=weights.device)
        return weights.index_copy(0, rows, encode(missing).to(weights.dtype))


def fitting_classes(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of a prompt with weights of classes, for the classes of the prompt that takes them.

    Args:
        own: the parameters of the prompt that takes them.
        state: those of the prompt that is loaded, perhaps without weights of classes.

    Returns:
        ``state`` with the weights of the classes in ``own``: those of the same class of the same task, else of the
        first class of that name, else none.
    """
    weight, codes = f"{PREFIX}weight", f"{PREFIX}codes"
    if codes not in own:
        return dict(state)
    given, names = state.get(weight), state.get(codes)
    rows = torch.zeros_like(own[weight])
    if given is not None and names is not None:
        if given.shape[1:] != rows.shape[1:] or names.shape != (len(given), *own[codes].shape[1:]):
            return dict(state)  # a difference that the comparison of shapes will name
        for row, number in enumerate(_matches(own[codes].tolist(), names.tolist())):
            if number is not None:
                rows[row] = given[number].to(rows)
    return {**state, weight: rows, codes: own[codes]}


def _matches(own: list[list[list[float]]], given: list[list[list[float]]]) -> list[int | None]:
    """For each own class the number of its like among the given ones."""
    if [pair[1] for pair in own] == [pair[1] for pair in given]:
        return list(range(len(own)))
    found: list[dict[tuple[float, ...], int]] = [{}, {}]
    for number, pair in enumerate(given):
        for known, code in zip(found, pair, strict=True):
            known.setdefault(tuple(code), number)
    return [found[0].get(tuple(pair[0]), found[1].get(tuple(pair[1]))) for pair in own]


def _code(text: str) -> list[float]:
    digest = hashlib.sha256(text.encode()).digest()
    return [float(int.from_bytes(digest[start : start + 2], "big")) for start in range(0, 2 * NUMBERS, 2)]
