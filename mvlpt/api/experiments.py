"""``mvlpt.run_experiment``: a comparison from Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mvlpt import experiment as library
from mvlpt.api.recipes import OUTPUT
from mvlpt.api.records import Records
from mvlpt.errors import ConfigError
from mvlpt.runtime import counting


@dataclass(frozen=True)
class ExperimentRun:
    """An experiment that was run.

    Attributes:
        folder: its plan, its jobs' folders and its results.
        state: ``finished``; ``incomplete`` where jobs failed; ``grouped`` where only groups were asked for.
        results: a record for each score.
        groups: each trainer's configuration file to its groups.
    """

    folder: Path
    state: str
    results: Records
    groups: dict[str, tuple[tuple[str, ...], ...]]


def run_experiment(
    experiment: str | os.PathLike[str] | library.Experiment,
    output_dir: str | os.PathLike[str] | None = None,
    *,
    verbose: bool = True,
    **options: Any,
) -> ExperimentRun:
    """Runs an experiment to its end, as ``mvlpt experiment`` does; the same call goes on where one was stopped.

    Example::

        done = mvlpt.run_experiment("configs/experiments/demo.yaml", "output/demo")
        print(done.results.to_pandas().groupby("arm").value.mean())

    Args:
        experiment: its file, or an :class:`mvlpt.experiment.Experiment`.
        output_dir: its folder; by default one in ``output/`` with the name of the file.
        verbose: report progress.
        options: as those of :func:`mvlpt.experiment.run_experiment`.

    Raises:
        MvlptError: the experiment, its folder or the executor cannot be used.
        KeyboardInterrupt: interrupted; the same call goes on.
    """
    if output_dir is None:
        if isinstance(experiment, library.Experiment):
            raise ConfigError("An experiment without a file needs an output_dir")
        output_dir = OUTPUT / Path(experiment).stem
    options = {"progress": partial(counting, shown=verbose), **options}
    result = library.run_experiment(experiment, output_dir, **options)
    if result.state == "interrupted":
        raise KeyboardInterrupt(f"The experiment in {result.root} was interrupted; the same call goes on")
    groups = {file: found.groups for file, found in result.groups.items()}
    return ExperimentRun(result.root, result.state, Records(result.rows), groups)
