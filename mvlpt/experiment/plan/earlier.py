"""The plan that a folder holds already, by which jobs keep their ids and the names of their folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mvlpt.config import is_path_like, split_names
from mvlpt.errors import PlanError
from mvlpt.experiment.arms import Run
from mvlpt.schedule import PLAN_FILE, Job, Plan, job_id, load_plan

PROMPT = "/prompt_learner"  # below a job's folder: the prompt that it leaves


def plan_in(root: Path) -> Plan | None:
    """The plan in a folder; ``None`` where there is none that can be read, as it is written anew."""
    try:
        return load_plan(root / PLAN_FILE) if (root / PLAN_FILE).exists() else None
    except PlanError:
        return None


class EarlierJobs:
    """The jobs of the plan in a folder.

    Version 0.1.0 took a task that is a file or folder by the path as it was written, for ids as for names of folders;
    now a path counts as the file that it leads to, and folders bear the name of the task.

    Args:
        root: the experiment's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._jobs: dict[str, Job] = {job.id: job for job in plan_in(root) or ()}

    def run_id(self, run: Run, identity: dict[str, Any], starts: Sequence[str]) -> str:
        """The id of a run: that of the earlier plan, or else a new one.

        Args:
            run: whose.
            identity: the options that affect its result.
            starts: the ids that the job whose prompt it starts from may have, the present one first; empty if there
                is none.
        """
        former = {**identity, "RUN.GROUP": run.former_group} if run.former_group else identity
        needed = [[start] for start in starts] or [[]]
        ids = [job_id([run.kind, each, need]) for need in needed for each in (with_full_paths(identity), former)]
        return self.known(ids)

    def known(self, ids: Sequence[str]) -> str:
        """The first id that the earlier plan has, or else the first."""
        return next((ident for ident in ids if ident in self._jobs), ids[0])

    def name(self, ident: str, name: str) -> str:
        """The name of a job: that of the earlier plan where its folder is there, or else the given one."""
        earlier = self._jobs.get(ident)
        return earlier.name if earlier is not None and (self._root / earlier.name).exists() else name

    def group(self, ident: str, group: str) -> str:
        """The group of a run whose earlier folder stays: as the configuration in that folder has it."""
        earlier = self._jobs.get(ident)
        if earlier is None or not (self._root / earlier.name).exists():
            return group
        return str(earlier.labels.get("group", group))

    def start(self, ident: str, name: str) -> str:
        """The name of the job that an adaptation starts from: of the one from which it began, while that is there.

        The given one leaves the same prompt, but a run goes on only with the options that it began with.
        """
        earlier = self._jobs.get(ident)
        if earlier is None or not (self._root / earlier.name).exists():
            return name
        prompts = [path for path in earlier.inputs if path.endswith(PROMPT) and (self._root / path).exists()]
        return prompts[0].removesuffix(PROMPT) if prompts else name


def with_full_paths(identity: dict[str, Any]) -> dict[str, Any]:
    """Options in which files and folders that are tasks have their full paths."""
    changed = dict(identity)
    for key in ("DATASET.DATASET", "DATASET.NAME"):
        value = identity.get(key)
        if isinstance(value, str) and is_path_like(value):
            changed[key] = ",".join(os.path.abspath(n) if is_path_like(n) else n for n in split_names(value))
    return changed
