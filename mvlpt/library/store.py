"""The library's folder: an index, the prompts, and a table of task embeddings.

LIBRARY/
  library.json       backbone, and a record for each prompt
  embeddings.npy     (N, E), the row of each record
  prompts/KEY.safetensors
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.errors import CheckpointError, LibraryError, MvlptError
from mvlpt.io import check_head, file_lock, map_array, read_bytes, read_json, write_file, write_json
from mvlpt.library.entry import Entry
from mvlpt.models import PromptFile, load_prompt

INDEX, VECTORS, PROMPTS, LOCK = "library.json", "embeddings.npy", "prompts", ".lock"
FORMAT, VERSION = "mvlpt-prompt-library", 1


class PromptLibrary:
    """Stored prompts of one backbone.

    Args:
        folder: of the library; it need not exist yet.

    Raises:
        LibraryError: the folder holds something else, or a damaged index.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.backbone: dict[str, str] = {}
        self.entries: list[Entry] = []
        self.vectors = np.zeros((0, 0), np.float32)
        self._read()

    def __len__(self) -> int:
        return len(self.entries)

    def _read(self) -> None:
        index = self.folder / INDEX
        if not index.is_file():
            if self.folder.exists() and (not self.folder.is_dir() or not _is_empty(self.folder)):
                raise LibraryError(
                    f"{self.folder} is no library of prompts: it has no {INDEX}; name one that mvlpt library"
                    " add has made, which makes it in a new folder"
                )
            return
        content = read_json(index, error=LibraryError)
        remedy = "make the library again with mvlpt library add"
        check_head(
            content, index, "a library of prompts", format=FORMAT, version=VERSION, error=LibraryError, remedy=remedy
        )
        backbone, records = content.get("backbone"), content.get("prompts")
        if not isinstance(backbone, dict) or not isinstance(records, list):
            raise LibraryError(f"{index} is damaged: it names no backbone or lists no prompts; {remedy}")
        self.backbone = {name: str(backbone.get(name, "")) for name in ("name", "pretrained", "fingerprint")}
        self.entries = [Entry.from_record(one if isinstance(one, dict) else {}, index) for one in records]
        self.vectors = _read_vectors(self.folder / VECTORS, len(self.entries))

    def prompt_path(self, entry: Entry) -> Path:
        """Where a prompt lies."""
        return self.folder / PROMPTS / f"{entry.key}.safetensors"

    def prompt(self, entry: Entry) -> PromptFile:
        """Reads a prompt.

        Raises:
            CheckpointError: its file is missing or damaged.
        """
        try:
            return load_prompt(self.prompt_path(entry))
        except CheckpointError as error:
            raise CheckpointError(
                f"{error}; add its run again: mvlpt library add {self.folder} {entry.source}"
            ) from None

    def _holds(self, entry: Entry) -> bool:
        """Whether a prompt is in the index, and its file can be read."""
        if all(one.key != entry.key for one in self.entries):
            return False
        try:
            return bool(load_prompt(self.prompt_path(entry)))
        except CheckpointError:
            return False

    def check_backbone(self, fingerprint: str, name: str) -> None:
        """Refuses a model that the library's prompts do not belong to.

        Raises:
            LibraryError: it has other weights.
        """
        if self.entries and self.backbone["fingerprint"] != fingerprint:
            raise LibraryError(
                f"The library {self.folder} holds prompts of backbone '{self.backbone['name']}'"
                f" ({self.backbone['pretrained'] or 'its own weights'}), and the weights of '{name}' are not the same"
            )

    def add(self, run: str | os.PathLike[str], embed: Callable[[], np.ndarray]) -> Entry | None:
        """Stores the prompt of a run; returns its entry, or ``None`` where the library holds it already.

        Args:
            run: the run's folder, with its ``prompt.safetensors``.
            embed: gives the mean feature (E,) of the images of the run's tasks; called only for a new prompt.

        Raises:
            LibraryError: it was tuned for another backbone, or the folder cannot be a library.
            LockHeldError: another process is adding a prompt at this moment.
            RunFolderError: a file cannot be written.
            CheckpointError: the run has no prompt, or a damaged one.
        """
        path = Path(run) / "prompt.safetensors"
        if not path.is_file():
            raise CheckpointError(f"{run} holds no prompt.safetensors; a library stores prompts of finished runs")
        prompt = load_prompt(path)
        self.check_backbone(prompt.fingerprint, prompt.backbone)
        entry = _entry_of(prompt, str(run))
        if self._holds(entry):
            return None
        vector = np.asarray(embed(), np.float32)
        try:
            return self._store(path, prompt, entry, vector)
        except MvlptError:  # some are OSErrors, too, and say more
            raise
        except OSError as error:
            raise LibraryError(
                f"The library {self.folder} cannot be written ({error.strerror}); choose another folder"
            ) from error

    def _store(self, path: Path, prompt: PromptFile, entry: Entry, vector: np.ndarray) -> Entry | None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with file_lock(self.folder / LOCK):
            self._read()  # another process may have added some
            self.check_backbone(prompt.fingerprint, prompt.backbone)
            if self._holds(entry):
                return None
            write_file(self.prompt_path(entry), read_bytes(path, error=CheckpointError))
            if any(known.key == entry.key for known in self.entries):
                return entry  # its file was missing or damaged
            vectors = vector[None] if not self.entries else np.concatenate([self.vectors, vector[None]])
            entries = [*self.entries, entry]
            # The table first: with rows to spare the index before it stays right.
            write_file(self.folder / VECTORS, _array_bytes(vectors))
            backbone = {"name": prompt.backbone, "pretrained": prompt.pretrained, "fingerprint": prompt.fingerprint}
            records = [one.as_record() for one in entries]
            index = {"format": FORMAT, "version": VERSION, "backbone": backbone, "prompts": records}
            write_json(index, self.folder / INDEX)
        self.backbone, self.entries, self.vectors = backbone, entries, vectors
        return entry


def _entry_of(prompt: PromptFile, source: str) -> Entry:
    tasks = tuple(prompt.origin.tasks)
    extra: dict[str, Any] = prompt.extra
    numbers = {name: value if type(value := extra.get(name)) is int else -1 for name in ("shots", "seed")}
    key = hashlib.sha256(f"{prompt.sha256}|{prompt.method}|{'|'.join(tasks)}".encode()).hexdigest()[:16]
    return Entry(
        key=key,
        method=prompt.method,
        trainer=str(extra.get("trainer", "")),
        tasks=tasks,
        classes=len(prompt.class_names),
        class_bound=prompt.origin.class_bound,
        source=source,
        **numbers,
    )


def _is_empty(folder: Path) -> bool:
    """Whether it holds nothing but hidden files, such as the lock, or prompts whose index was never written."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")} <= {PROMPTS, VECTORS}


def _array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _read_vectors(path: Path, rows: int) -> np.ndarray:
    """The first rows of the table.

    Raises:
        LibraryError: it is missing, damaged, or has fewer rows.
    """
    damaged = f"{path} is damaged or does not belong to the index beside it; make the library again"
    if not path.is_file():
        raise LibraryError(f"{path} is missing; make the library again with mvlpt library add")
    array = np.array(map_array(path, "f", error=LibraryError, remedy="make the library again"))
    if array.ndim != 2 or len(array) < rows or not np.isfinite(array).all():
        raise LibraryError(damaged)
    return array[:rows]
