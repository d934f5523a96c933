"""Which designer is on which side: fixed shares, chosen by how many classes a choice serves, never by results."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

SPLIT_FILE = Path(__file__).with_name("designers.json")
SPLITS = ("train", "val", "test")
MINIMUM = {"train": 4, "val": 1, "test": 4}


def split_sizes(n_designers: int) -> tuple[int, int, int]:
    """Number of designers a split: 45, 10 and 45 %, validation rounded up."""
    val = -(-n_designers * 10 // 100)
    train = (n_designers - val) // 2
    return train, val, n_designers - val - train


def draw_split(designers: Iterable[str], *, seed: int) -> dict[str, str]:
    """Designer -> split for one seed."""
    order = sorted(designers)
    random.Random(seed).shuffle(order)
    train, val, _ = split_sizes(len(order))
    return {d: "train" if i < train else "val" if i < train + val else "test" for i, d in enumerate(order)}


def complete_classes(designers_of: dict[tuple[str, str], set[str]], split_of: dict[str, str]) -> set[tuple[str, str]]:
    """Classes (subject, name) with enough designers in every split."""
    complete = set()
    for key, designers in designers_of.items():
        counts: dict[str, int] = defaultdict(int)
        for designer in designers:
            counts[split_of[designer]] += 1
        if all(counts[split] >= least for split, least in MINIMUM.items()):
            complete.add(key)
    return complete


def choose_split(designers_of: dict[tuple[str, str], set[str]], *, seeds: int = 2000) -> tuple[dict[str, str], int]:
    """The split that leaves most classes complete; the first such seed wins.

    Args:
        designers_of: (subject, class) -> designers that drew it.
        seeds: How many random splits are tried.

    Returns:
        Designer -> split, and the seed.
    """
    everyone = set().union(*designers_of.values())
    counts = [len(complete_classes(designers_of, draw_split(everyone, seed=seed))) for seed in range(seeds)]
    seed = counts.index(max(counts))
    return draw_split(everyone, seed=seed), seed


def load_split(path: Path = SPLIT_FILE) -> dict[str, str]:
    """The pinned split: designer -> side. It was fixed before the model was trained and is never drawn again."""
    data = json.loads(path.read_text())
    return {designer: split for split in SPLITS for designer in data[split]}
