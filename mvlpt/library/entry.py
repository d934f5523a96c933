"""One stored prompt: where it comes from, as a record of the library's index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mvlpt.errors import LibraryError

KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Entry:
    """A prompt in a library.

    Attributes:
        key: 16 hexadecimal digits, from the hash of its tensors and its tasks; the names of its files.
        method: the prompt method, such as ``vpt``.
        trainer: the trainer that tuned it.
        tasks: what it was tuned on.
        classes: their number of classes.
        shots: training images per class.
        seed: of the run.
        class_bound: it fits the classes of its own tasks only.
        source: the run's folder when it was added.
    """

    key: str
    method: str
    trainer: str
    tasks: tuple[str, ...]
    classes: int
    shots: int
    seed: int
    class_bound: bool
    source: str

    @classmethod
    def from_record(cls, record: Mapping[str, Any], file: object) -> Entry:
        """From a line of the index.

        Raises:
            LibraryError: it is damaged.
        """
        kinds = {"key": str, "method": str, "trainer": str, "tasks": list, "classes": int, "shots": int, "seed": int,
                 "class_bound": bool, "source": str}  # fmt: skip
        wrong = [name for name, kind in kinds.items() if type(record.get(name)) is not kind]
        if wrong or not KEY.fullmatch(record["key"]) or not all(isinstance(task, str) for task in record["tasks"]):
            raise LibraryError(
                f"{file} is damaged: a prompt's {', '.join(wrong) or 'key or tasks'} cannot be read; make the library"
                " again with mvlpt library add"
            )
        return cls(**{**{name: record[name] for name in kinds}, "tasks": tuple(record["tasks"])})

    def as_record(self) -> dict[str, Any]:
        """For the index."""
        return {**asdict(self), "tasks": list(self.tasks)}
