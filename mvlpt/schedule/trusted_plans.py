"""Whether a plan may run: its commands are mvlpt's own, or the user has trusted them.

A plan names commands, and running it runs them. Commands of mvlpt that load no plugin can do no more than mvlpt does.
Any other needs the user's word, unless mvlpt itself planned it here. Which plans are trusted is kept outside their
folders, which may come from someone else: in
``$XDG_STATE_HOME/mvlpt/trusted-plans`` (default ``~/.local/state``), one SHA-256 of commands a line.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from mvlpt.errors import MvlptError, ScheduleError
from mvlpt.io import clean_text, read_text
from mvlpt.schedule.jobs import Job, Plan

OWN_COMMANDS = ("average", "features", "results", "tasks", "train")  # an experiment's file may name plugins
WRITING = ("results", "tasks")
LISTED = 5
LARGEST = 2**24  # bytes of the file of trusted plans


def foreign_jobs(plan: Plan) -> list[Job]:
    """The jobs whose commands are not mvlpt's own, or load a plugin, which is code."""
    return [job for job in plan if not _is_own(job.command)]


def check_trust(plan: Plan) -> None:
    """Refuses a plan with commands that the user has not trusted.

    Raises:
        ScheduleError: the sentence shows the commands and says how to trust them.
    """
    foreign = foreign_jobs(plan)
    if not foreign or is_trusted(plan):
        return
    shown = "".join(f"\n  {clean_text(job.name, 60)}: {clean_text(job.shell, 200)}" for job in foreign[:LISTED])
    more = f"\n  and {len(foreign) - LISTED:,} more" if len(foreign) > LISTED else ""
    raise ScheduleError(
        f"This plan was not made on this machine, and {len(foreign):,} of its jobs run other programs than mvlpt or may"
        f" load plugins; read their commands, and add --trust to run them:{shown}{more}"
    )


def is_trusted(plan: Plan) -> bool:
    """Whether the user has trusted the commands of the plan."""
    with suppress(MvlptError):
        return _digest(plan) in read_text(_trusted_file(), largest=LARGEST).split()
    return False


def trust(plan: Plan) -> None:
    """Remembers the commands of a plan that is not mvlpt's alone; where nothing can be written, nothing is."""
    if not foreign_jobs(plan) or is_trusted(plan):
        return
    path = _trusted_file()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(path, "a", encoding="ascii") as handle:  # a short line is appended whole
            handle.write(_digest(plan) + "\n")


def _is_own(command: tuple[str, ...]) -> bool:
    if command[:1] != ("mvlpt",) or len(command) < 2 or command[1] not in OWN_COMMANDS:
        return False
    if command[1] in WRITING and any(word.startswith("--o") for word in command[2:]):
        return False  # it writes words from files to any file
    return not any(word.startswith("--pl") for word in command[2:])  # argparse takes the beginning of --plugin, too


def _digest(plan: Plan) -> str:
    content = [plan.metadata.get("cwd"), sorted([job.id, *job.command] for job in plan)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _trusted_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state) / "mvlpt" / "trusted-plans"
