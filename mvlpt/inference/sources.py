"""What a user names when he wants a classifier: a run's folder, its checkpoints, or a prompt file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvlpt.config import read_yaml
from mvlpt.engine import BEST_CHECKPOINT, CONFIG_FILE, PROMPT_FILE, STATE_FILE
from mvlpt.errors import CheckpointError
from mvlpt.io import read_json

NUMBERED = "model.pth.tar-"


@dataclass(frozen=True)
class Source:
    """Where a trained model is.

    Attributes:
        asked: the path as the user gave it.
        folder: the run's folder; ``None`` where a prompt file stands alone.
        prompt: its prompt file, if it is to be read.
        epoch: whose checkpoint is asked for; 0 for the best, or else the last.
    """

    asked: Path
    folder: Path | None
    prompt: Path | None
    epoch: int = 0

    @property
    def has_config(self) -> bool:
        """Whether the folder says with which options the run was made."""
        return self.folder is not None and (self.folder / CONFIG_FILE).is_file()

    def config(self) -> dict[str, Any]:
        """The run's options as sections.

        Raises:
            ConfigError: the file cannot be read.
        """
        return read_yaml(self.folder / CONFIG_FILE) if self.has_config else {}

    def state(self) -> dict[str, Any]:
        """The entries of ``run.json``; empty without it."""
        file = self.folder / STATE_FILE if self.folder is not None else None
        content = read_json(file, error=CheckpointError) if file is not None and file.is_file() else {}
        return content if isinstance(content, dict) else {}


def find_source(path: str | os.PathLike[str]) -> Source:
    """What a path means.

    Args:
        path: a run's folder, a folder of checkpoints in it (``prompt_learner``), one of these checkpoints, or a prompt
            file.

    Raises:
        CheckpointError: there is nothing of this kind; the message says what was looked for.
    """
    asked = Path(path).expanduser()
    if asked.is_file():
        return _file(asked)
    if not asked.is_dir():
        raise CheckpointError(f"There is no run and no prompt at {asked}; name a run's folder or a {PROMPT_FILE}")
    if (asked / CONFIG_FILE).is_file() or (asked / PROMPT_FILE).is_file():
        prompt = asked / PROMPT_FILE
        return Source(asked, asked, prompt if prompt.is_file() else None)
    above = asked.resolve().parent
    if _holds_checkpoints(asked) and (above / CONFIG_FILE).is_file():
        return Source(asked, above, None)
    if _holds_checkpoints(asked) or any(_holds_checkpoints(one) for one in asked.iterdir() if one.is_dir()):
        raise CheckpointError(
            f"{asked} holds checkpoints, but neither {CONFIG_FILE} nor {PROMPT_FILE}, which say what they belong to;"
            " evaluate them with mvlpt train --eval-only --model-dir"
        )
    raise CheckpointError(
        f"{asked} is not the folder of a run: it has no {CONFIG_FILE} and no {PROMPT_FILE}; mvlpt runs {asked} lists"
        " the runs below it"
    )


def _file(path: Path) -> Source:
    """The source that one file means."""
    if path.suffix == ".safetensors":
        folder = path.parent if path.name == PROMPT_FILE and (path.parent / CONFIG_FILE).is_file() else None
        return Source(path, folder, path)
    folder, number = path.resolve().parent.parent, path.name.removeprefix(NUMBERED)
    if path.name == BEST_CHECKPOINT or (path.name.startswith(NUMBERED) and number.isdecimal()):
        if (folder / CONFIG_FILE).is_file():
            return Source(path, folder, None, 0 if path.name == BEST_CHECKPOINT else int(number))
        raise CheckpointError(f"{path} says not what it belongs to: there is no {CONFIG_FILE} in {folder}")
    raise CheckpointError(f"{path} is neither a run's folder nor a {PROMPT_FILE} nor a checkpoint of a run")


def _holds_checkpoints(folder: Path) -> bool:
    return any(folder.glob("model*.pth.tar*"))
