"""The first stage of an experiment: its groups, kept in ``graph/groups.yaml`` until something changes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvlpt.errors import RunFolderError
from mvlpt.experiment.choice import RunJobs, choice_files, choose_groups
from mvlpt.experiment.events import Event, Note
from mvlpt.experiment.grouping.experiment_groups import given_groups, group_experiment
from mvlpt.experiment.grouping.groups_files import GroupsKey, groups_files, read_groups_in
from mvlpt.experiment.grouping.options import CHOOSE
from mvlpt.experiment.grouping.progress import ProgressBars, no_progress
from mvlpt.experiment.spec import Experiment
from mvlpt.graph import Grouping
from mvlpt.io import file_digest, is_edited, mark_as_written, read_json, write_json

GROUPS_FOLDER, RECORD = "graph", "groups.inputs.json"
PREVIEW_SIZE = 4  # tasks of a group in a preview, where the experiment gives no size


def ensure_groups(
    experiment: Experiment,
    root: Path,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    progress: ProgressBars = no_progress,
    run_jobs: RunJobs | None = None,
) -> Mapping[GroupsKey, Grouping]:
    """The groups of an experiment's tasks: those of its file, those in its folder, or new ones.

    They are for each trainer or, with the method ``choose`` and several numbers of shots, for each (trainer, shots).

    Groups files are kept as long as they were made from the same inputs; one that was edited by hand is used whatever
    the inputs are.

    Args:
        experiment: names the tasks and how they are grouped.
        root: its folder.
        on_event: called with a note where files were edited, and with each grouping that is made.
        progress: makes a progress bar.
        run_jobs: runs the estimates of the method ``choose``.

    Raises:
        MvlptError: a groups file cannot be used, or the tasks cannot be embedded or grouped.
    """
    given = given_groups(experiment)
    if given is not None:
        return given
    folder = root / GROUPS_FOLDER
    files = _GroupsFiles.of(experiment, folder)
    if files.edited:
        on_event(Note(f"groups: {', '.join(map(str, files.edited))}, edited by hand"))
    if files.usable:
        return read_groups_in(experiment, folder)
    for path in files.unedited:
        mark_as_written(path)
    making = [path for path in files.paths if path not in files.edited]
    write_json({"inputs": "", "written": {}, "making": [path.name for path in making]}, folder / RECORD)
    if experiment.grouping.get("method") == CHOOSE:
        choose_groups(experiment, root, folder, run_jobs=run_jobs, on_event=on_event, progress=progress)
    else:
        group_experiment(experiment, folder, on_event=on_event, progress=progress)
    written = {path.name: file_digest(path) for path in making}
    write_json({"inputs": _fingerprint(experiment), "written": written}, folder / RECORD)
    return read_groups_in(experiment, folder)


@dataclass(frozen=True)
class _GroupsFiles:
    """The groups files of an experiment's folder.

    Attributes:
        paths: all of them, whether or not they exist.
        edited: those that are not as a run wrote them, or that no run wrote.
        unedited: the others that exist.
        usable: they are all there, and were made from the same inputs or all edited.
    """

    paths: list[Path]
    edited: list[Path]
    unedited: list[Path]
    usable: bool

    @classmethod
    def of(cls, experiment: Experiment, folder: Path) -> _GroupsFiles:
        """Looks at the files; changes nothing."""
        record = _record(folder / RECORD)
        paths = sorted({folder / name for name in groups_files(experiment).values()})
        present = [path for path in paths if path.exists()]
        edited = [path for path in present if not _is_as_written(path, record)]
        chosen = choice_files(experiment).values() if experiment.grouping.get("method") == CHOOSE else ()
        known = record.get("inputs") == _fingerprint(experiment) and all((folder / name).exists() for name in chosen)
        usable = present == paths and (known or edited == paths)
        return cls(paths, edited, [path for path in present if path not in edited], usable)


def _is_as_written(path: Path, record: Mapping[str, Any]) -> bool:
    """Whether a groups file is as a run wrote it, which may have been stopped before it recorded that."""
    if path.name in record.get("making", ()):
        return not is_edited(path)
    return record.get("written", {}).get(path.name) == file_digest(path)


def preview_groups(experiment: Experiment, root: Path) -> tuple[Mapping[GroupsKey, Grouping], bool]:
    """Groups for a plan that is only shown: those that would be kept, or else equal parts of the tasks in their place.

    Returns:
        The groups for each trainer, and whether they only stand for groups that are not known yet.

    Raises:
        MvlptError: a groups file cannot be used, or the tasks cannot be grouped as the experiment says.
    """
    settings, tasks, given = experiment.grouping, experiment.tasks, given_groups(experiment)
    if given is not None:
        return given, False
    if _GroupsFiles.of(experiment, root / GROUPS_FOLDER).usable:
        return read_groups_in(experiment, root / GROUPS_FOLDER), False
    size = settings.get("max_size") or PREVIEW_SIZE
    count = min(settings.get("groups") or math.ceil(len(tasks) / size), len(tasks))
    parts = tuple(tasks[first::count] for first in range(count))
    return dict.fromkeys(experiment.trainers, Grouping(parts, method="stand-in")), True


def _fingerprint(experiment: Experiment) -> str:
    """SHA-256 over what groups depend on in the experiment; of the images the graph has its own fingerprints."""
    chooses = experiment.grouping.get("method") == CHOOSE
    arms = experiment.arm_options if chooses else {}  # the arms are what is chosen among
    content = {
        "tasks": sorted(experiment.tasks),
        "grouping": {key: value for key, value in experiment.grouping.items() if key != "pictures"},
        "trainers": experiment.trainers,
        "options": experiment.overrides(),
        **({"chosen": sorted(map(repr, experiment.chosen_options.items()))} if experiment.chosen_options else {}),
        **({"arms": arms} if arms else {}),
        "shots": sorted(experiment.shots) if chooses and len(experiment.shots) > 1 else experiment.fewest_shots,
        "seed": experiment.seeds[0],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _record(path: Path) -> dict[str, Any]:
    """Inputs and files of the groups that were made before; empty where that is not known."""
    try:
        content = read_json(path)
    except RunFolderError:
        return {}
    sound = isinstance(content, dict) and isinstance(content.get("written"), dict)
    sound = sound and isinstance(content.get("making", []), list)
    return content if sound else {}
