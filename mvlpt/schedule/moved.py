"""Plans whose folder was moved or copied: paths below the old folder become paths below the new one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace

from mvlpt.schedule.jobs import Job, Plan

ROOT = "root"  # among a plan's metadata: the folder for which its commands were written


def relocated(plan: Plan, root: str | os.PathLike[str]) -> Plan:
    """The plan with the commands that it would have in another folder; ids and everything else stay.

    Args:
        plan: of any folder. One that says nothing of its folder is returned as it is, as plans written by hand are.
        root: the folder in which the plan lies now.
    """
    here, before = os.path.abspath(root), _written_for(plan)
    if before is None or before == here:
        return plan
    jobs = [replace(job, command=tuple(_moved(word, before, here) for word in job.command)) for job in plan]
    return Plan(jobs, {**plan.metadata, ROOT: here})


def _written_for(plan: Plan) -> str | None:
    """The folder for which the commands of a plan were written; None if it is unknown."""
    named = plan.metadata.get(ROOT)
    if isinstance(named, str):
        return os.path.normpath(named) if os.path.isabs(named) else None
    if "experiment" not in plan.metadata:
        return None
    found = {folder for job in plan for folder in _parents(job)}  # version 0.1.0 recorded no folder
    return found.pop() if len(found) == 1 else None


def _parents(job: Job) -> Iterator[str]:
    """Folders below which the command of a job names the job's own folder."""
    ending = "/" + job.name
    for option, word in itertools.pairwise(job.command):
        if option == "--output-dir" and word.endswith(ending) and os.path.isabs(word):
            yield os.path.normpath(word[: -len(ending)] or "/")


def _moved(word: str, before: str, here: str) -> str:
    below = before.rstrip("/") + "/"
    if word == before:
        return here
    return os.path.join(here, word[len(below) :]) if word.startswith(below) else word
