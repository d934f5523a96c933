"""What the folder of one run says about it: state, tasks, options, score, age and size."""

from __future__ import annotations

import datetime
import os
import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mvlpt.config import OPTIONS, options_in
from mvlpt.engine import RESULTS_FILE, TEST_SPLITS, read_results
from mvlpt.errors import MvlptError
from mvlpt.io import is_locked, read_json

STATE_FILE = "run.json"
LONGEST_RUN = 1e10  # seconds; more is no time
STATES = ("finished", "running", "interrupted", "killed", "failed", "damaged")
_IDENTITY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        folder: where it is.
        state: ``finished``; ``running`` while a process holds the folder; ``interrupted`` and ``failed`` as the run
            said at its end; ``killed`` where it could not say anything; ``damaged`` where ``run.json`` is not that of
            a run.
        reason: why it failed, or what is damaged; empty otherwise.
        identity: the hash of its options, the same for two runs of one configuration.
        options: those that affect results and are not at their defaults.
        updated: when its state last changed.
        seconds: how long it took.
    """

    folder: Path
    state: str
    reason: str = ""
    identity: str = ""
    options: Mapping[str, Any] | None = None
    updated: datetime.datetime | None = None
    seconds: float | None = None

    @property
    def trainer(self) -> str:
        """Its name; empty where it is not known."""
        return str(self.option("TRAINER.NAME"))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Its tasks as its options name them, in the order given: names, or paths of folders and task files."""
        named = str(self.option("DATASET.DATASET") or self.option("DATASET.NAME"))
        return tuple(name.strip() for name in named.split(",") if name.strip())

    @property
    def task_names(self) -> tuple[str, ...]:
        """The names of its tasks, those that results have; before there are results, a path's last part."""
        scored = tuple(dict.fromkeys(row["task"] for row in self.rows))
        if len(scored) == len(self.tasks):
            return scored
        return tuple(Path(task).stem if task.endswith((".yaml", ".yml")) else Path(task).name for task in self.tasks)

    @property
    def arm(self) -> str:
        """Its arm; empty where neither its options nor its results say it."""
        return str(self.option("RUN.ARM") or next((row["arm"] for row in self.rows), ""))

    def option(self, key: str) -> Any:
        """The value of an option; an empty string for an unknown one that it did not set."""
        default = OPTIONS[key].default if key in OPTIONS else ""
        return (self.options or {}).get(key, default)

    @cached_property
    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """Its results; empty where there are none, or where they cannot be read."""
        try:
            return tuple(read_results(self.folder / RESULTS_FILE))
        except MvlptError:
            return ()

    @cached_property
    def score(self) -> float | None:
        """The mean over its tasks, percent: of test scores, or of validation scores where there are no others."""
        tested = [row["value"] for row in self.rows if row["split"] in TEST_SPLITS]
        values = tested or [row["value"] for row in self.rows if row["split"] == "val"]
        return statistics.fmean(values) if values else None

    @cached_property
    def size(self) -> int:
        """Bytes of its files, without those of other runs below its folder."""
        return _size(self.folder)

    @property
    def age(self) -> float | None:
        """Seconds since its state last changed."""
        if self.updated is None:
            return None
        return (datetime.datetime.now(datetime.timezone.utc) - self.updated).total_seconds()


def read_run(folder: str | os.PathLike[str]) -> RunRecord:
    """What the folder of a run, which holds a ``run.json``, says about it; never raises for what stands inside."""
    path = Path(folder)
    try:
        content = read_json(path / STATE_FILE, largest=2**24)
    except MvlptError as error:
        return RunRecord(path, "damaged", str(error))
    if _is_foreign(content):
        return RunRecord(path, "damaged", f"{path / STATE_FILE} is not the record of a run")
    identity = content["run"]
    seconds = content.get("seconds")
    try:
        options = _options(path, content)
    except MvlptError as error:
        return RunRecord(path, "damaged", str(error), identity)
    return RunRecord(
        folder=path,
        state=present_state(path, content["state"]),
        reason=str(content.get("reason", "")),
        identity=identity,
        options=options,
        updated=_time(content.get("updated")),
        seconds=float(seconds) if isinstance(seconds, (int, float)) and abs(seconds) < LONGEST_RUN else None,
    )


def present_state(folder: Path, recorded: str) -> str:
    """The state of a run: ``killed`` where it is recorded as running, but no process holds its folder."""
    return "killed" if recorded == "running" and not is_locked(folder) else recorded


def _is_foreign(content: Any) -> bool:
    """Whether what a ``run.json`` holds is not what a run of this framework writes."""
    return not (
        isinstance(content, dict)
        and content.get("format") == 1
        and content.get("state") in STATES[:-1]
        and isinstance(content.get("run"), str)
        and _IDENTITY.fullmatch(content["run"])
    )


def _options(folder: Path, content: Mapping[str, Any]) -> Mapping[str, Any]:
    """From ``run.json``, or, of version 0.1.0, from ``config.yaml``, which takes longer to read."""
    if isinstance(content.get("options"), dict):
        return content["options"]
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in options_in(folder).items()
        if key not in OPTIONS
        or (OPTIONS[key].identifies(value) and not OPTIONS[key].pinned and value != OPTIONS[key].default)
    }


def _time(written: Any) -> datetime.datetime | None:
    try:
        time = datetime.datetime.fromisoformat(str(written))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=datetime.timezone.utc)


def _size(folder: Path) -> int:
    total, waiting = 0, [os.fspath(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                found = list(entries)
        except OSError:
            continue
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                if not os.path.lexists(os.path.join(entry.path, STATE_FILE)):
                    waiting.append(entry.path)
            else:
                total += _length(entry)
    return total


def _length(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
