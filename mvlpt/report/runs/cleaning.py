"""Which run folders are of no use, and their removal."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from mvlpt.io import LockHeldError, LocksUnsupportedError, file_lock, is_locked
from mvlpt.report.runs.record import STATE_FILE, RunRecord, read_run

PLAN_FILE, SCHEDULER_LOCK = "plan.json", "scheduler.lock"
SUPERSEDED = "superseded"
OWN_FOLDERS = ("tensorboard", "samples", "predictions", "wandb", "mlruns", "figures")
OWN_SUFFIXES = (".json", ".jsonl", ".yaml", ".csv", ".safetensors", ".png", ".svg", ".log")
KINDS = ("failed", SUPERSEDED, "killed", "interrupted")
"""What :func:`useless_runs` can look for: states, and runs whose configuration another run finished later."""


@dataclass(frozen=True)
class Removal:
    """A run and what is to become of it.

    Attributes:
        run: which.
        why: it is of no use.
        kept: why it is left alone all the same; empty if it is to be removed.
    """

    run: RunRecord
    why: str
    kept: str = ""


def useless_runs(runs: Sequence[RunRecord], kinds: Iterable[str] = KINDS[:2]) -> list[Removal]:
    """The runs that are of no use, in the order of the list.

    A run of no use is left alone if it is running, if its experiment is, if other runs lie below its folder, if the
    folder holds what no run writes, or if another run starts from its prompt. Runs of experiments are never
    superseded: their plan counts on them.

    Args:
        runs: all runs of a folder.
        kinds: of :data:`KINDS`.
    """
    wanted = set(kinds)
    latest = _latest_finished(runs)
    starts = _users_of_starts(runs)
    holders = {parent for run in runs for parent in run.folder.parents}
    removals = []
    for run in runs:
        why = ""
        if run.state in wanted:
            why = f"{run.state}{f': {run.reason}' if run.reason else ''}"
        elif SUPERSEDED in wanted and run.state not in ("running", "damaged") and not _experiment_of(run.folder):
            newer = latest.get(run.identity)
            why = f"{newer.folder} is the same run, finished later" if newer and newer is not run else ""
        if why:
            removals.append(Removal(run, why, _kept(run, holders, starts)))
    return removals


def _latest_finished(runs: Iterable[RunRecord]) -> dict[str, RunRecord]:
    """Of the finished runs of one configuration the one that finished last."""
    latest: dict[str, RunRecord] = {}
    for run in runs:
        if run.state == "finished" and run.updated is not None:
            held = latest.get(run.identity)
            if held is None or (held.updated, str(held.folder)) < (run.updated, str(run.folder)):
                latest[run.identity] = run
    return latest


def _users_of_starts(runs: Iterable[RunRecord]) -> dict[Path, RunRecord]:
    """A run that starts from each folder: from the run in it, from one of its checkpoints or from its prompt file."""
    users: dict[Path, RunRecord] = {}
    for run in runs:
        if run.option("RUN.INIT_FROM"):
            start = Path(os.path.abspath(str(run.option("RUN.INIT_FROM"))))
            users |= dict.fromkeys((start, *start.parents), run)
    return users


def _kept(run: RunRecord, holders: set[Path], starts: dict[Path, RunRecord]) -> str:
    if run.folder in holders:
        return "other runs lie below its folder"
    foreign = _foreign_entry(run.folder)
    if foreign:
        return f"it holds {foreign}, which no run writes"
    user = starts.get(run.folder.absolute())
    if user is not None and user is not run:
        return f"{user.folder} starts from its prompt"
    experiment = _experiment_of(run.folder)
    if experiment and is_locked(experiment / SCHEDULER_LOCK):
        return f"the experiment in {experiment} is running"
    return ""


def _foreign_entry(folder: Path) -> str:
    """The first file or folder in a run's folder that a person may have put there; empty if there is none."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                ours = entry.name in OWN_FOLDERS or _holds_checkpoints(Path(entry.path))
            else:
                ours = entry.name.startswith((".", "log.txt", "events.")) or ".pth.tar" in entry.name
                ours = ours or Path(entry.name).suffix in OWN_SUFFIXES
            if not ours:
                return entry.name
    return ""


def _holds_checkpoints(folder: Path) -> bool:
    return any(".pth.tar" in name or name == "checkpoint" for name in os.listdir(folder)) or not os.listdir(folder)


def _experiment_of(folder: Path) -> Path | None:
    """The folder above a run that holds the plan which the run belongs to."""
    return next((parent for parent in folder.absolute().parents if (parent / PLAN_FILE).is_file()), None)


def remove_runs(removals: Iterable[Removal]) -> Iterator[tuple[RunRecord, str]]:
    """Removes runs one by one, those without a reason to keep them.

    A folder is locked, looked at again and renamed before it is emptied, so that a run that has begun since is left
    alone and no half of a run remains under its name. Links are removed, never followed.

    Yields:
        Each run, and why it was left alone; an empty string where it was removed.
    """
    for removal in removals:
        if not removal.kept:
            yield removal.run, _remove(removal.run)


def _remove(run: RunRecord) -> str:
    _ = run.size  # while its files are there; the record keeps it
    try:
        if run.folder.is_symlink() or not (run.folder / STATE_FILE).is_file():
            return "it is no folder of a run any more"
        with ExitStack() as stack:
            with suppress(LocksUnsupportedError):
                stack.enter_context(file_lock(run.folder))
            now = read_run(run.folder)
            if (now.identity, now.updated) != (run.identity, run.updated):
                return "it has changed since"
            folder = run.folder.resolve()
            aside = folder.with_name(f".{folder.name[:200]}.{secrets.token_hex(8)}.removed")
            os.rename(folder, aside)
            shutil.rmtree(aside)
    except LockHeldError:
        return "a process holds it"
    except OSError as error:
        return f"it cannot be removed ({error.strerror or error})"
    return ""
