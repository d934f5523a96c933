"""What a call leaves out: the shipped options of a trainer, and a folder for its run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mvlpt.config import find_config
from mvlpt.errors import ConfigError
from mvlpt.io import short_repr

OUTPUT = Path("output")
RECIPES = "configs/trainers"
EMBEDDED = "embedded"
MOST_NAMED = 3  # tasks that the name of a folder spells out


def recipe_of(trainer: str, backbone: str | None) -> Path:
    """The shipped options of a trainer; those that all trainers share, for a trainer that has none.

    Args:
        trainer: its name.
        backbone: ``embedded`` has options of its own; those for ViT-B/16 serve every other one.
    """
    file = "embedded.yaml" if backbone == EMBEDDED else "vit_b16.yaml"
    own = find_config(f"{RECIPES}/{trainer}/{file}")
    return own if own.is_file() else find_config(f"{RECIPES}/{file}")


def task_word(task: str | os.PathLike[str]) -> str:
    """A task as options name it; a path is known by its slash.

    Raises:
        ConfigError: it is neither a name nor a path.
    """
    if not isinstance(task, str | os.PathLike):
        several = "; several tasks that share a prompt are tasks=[...]" if isinstance(task, list | tuple | set) else ""
        raise ConfigError(f"A task is a name or a path, not {short_repr(task)}{several}")
    name = os.fspath(task)
    plain = os.sep not in name and not name.endswith((".yaml", ".yml"))
    return os.path.join(name, "") if plain and isinstance(task, os.PathLike) else name


def task_words(tasks: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Several tasks as options name them.

    Raises:
        ConfigError: it is a single name, or one of them is neither a name nor a path.
    """
    if isinstance(tasks, str | os.PathLike):
        raise ConfigError(f"tasks is the single name '{tasks}'; give a list of tasks")
    return [task_word(task) for task in tasks]


def folder_of(trainer: str, tasks: Sequence[str], shots: int, seed: int, identity: str) -> Path:
    """``output/MVLPT-VPT-photos-4shots-seed1-3f2a9c``: another run never has the same one.

    Args:
        trainer, tasks, shots, seed: in its name.
        identity: of the run's options.
    """
    stems = [Path(task.rstrip("/")).stem for task in tasks]
    about = "+".join(stems) if len(stems) <= MOST_NAMED else f"{len(stems)}tasks"
    amount = f"{shots}shots" if shots > 0 else "all"
    words = [re.sub(r"[^\w.+-]+", "_", word) for word in (trainer, about[:60], amount, f"seed{seed}")]
    return OUTPUT / "-".join([*words, identity[:6]])
