"""``tools/group_tasks.py`` and ``mvlpt group``: build the task graph and pick the groups that should share a prompt.

Shapes: T tasks.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from mvlpt.cli.common import exit_status, output_width, show
from mvlpt.cli.experiment_groups import read_groups_of
from mvlpt.cli.group_checks import checked_sources, read_gains
from mvlpt.cli.group_config import GroupRun, options_of, prepare, runs_of_arguments, runs_of_experiment
from mvlpt.cli.group_graph import GRAPH_FILE, Bars, Updated, update_graph
from mvlpt.cli.group_inputs import graph_inputs
from mvlpt.cli.group_options import GroupOptions
from mvlpt.cli.group_output import fit_line, groups_table, objective_line, write_all
from mvlpt.cli.group_parser import DATA_OPTIONS, build_parser, refuse_beside
from mvlpt.cli.group_selection import select
from mvlpt.engine.resources import shared_resources
from mvlpt.errors import ConfigError, GraphError, RunFolderError, suggest
from mvlpt.experiment import Experiment
from mvlpt.graph import FittedWeights, Grouping, TaskGraph, fit_weights, group_tasks
from mvlpt.graph.affinity.measured import fill_one_sided
from mvlpt.runtime.log import setup_logging
from mvlpt.runtime.progress import counting


@dataclass(frozen=True)
class Made:
    """One grouping and where it came from.

    Attributes:
        grouping: the groups.
        graph: the task graph.
        matrix: (T, T) what was grouped, in the order of the graph's tasks.
        label: what the matrix is.
        files: what was written.
        updated: what was computed and what was kept; ``None`` where a graph was read.
        fitted: the weights that were fitted, if they were.
    """

    grouping: Grouping
    graph: TaskGraph
    matrix: np.ndarray
    label: str
    files: list[Path] = field(default_factory=list)
    updated: Updated | None = None
    fitted: FittedWeights | None = None


def make_groups(run: GroupRun, folder: Path, bars: Bars = counting) -> Made:
    """From a configuration to groups, with every file that ``mvlpt group`` writes.

    Args:
        run: tasks and options.
        folder: of the files; what it holds already is not computed again.
        bars: makes a progress bar from a word, as :func:`mvlpt.runtime.progress.counting` does.

    Raises:
        MvlptError: tasks, options, constraints or files cannot be used.
    """
    sources = checked_sources(run.cfg, run.options)
    prepare_folder(folder)
    inputs = graph_inputs(run.cfg, sources)
    updated = update_graph(inputs, run.options, folder, bars)
    made = group_graph(updated.graph, run.options, updated.affinity, run.cfg.TRAINER.NAME)
    settings = {"shots": run.cfg.DATASET.NUM_SHOTS, "seed": run.cfg.SEED, "backbone": run.cfg.MODEL.BACKBONE.NAME}
    return dataclasses.replace(_written(made, run.options, folder, run.suffix, settings), updated=updated)


def group_experiment(
    experiment: Experiment, out_dir: str | Path, progress: Bars | None = None, *, pictures: bool = True
) -> dict[str, Grouping]:
    """The groups of an experiment, by its section ``grouping``.

    Args:
        experiment: read by :func:`mvlpt.schedule.load_experiment`.
        out_dir: for the graph, the groups and the pictures.
        progress: makes a progress bar from a word; :func:`mvlpt.runtime.progress.counting` by default.
        pictures: draw the graph.

    Returns:
        For each trainer's configuration file its groups: the same for all by similarity or from a file, those of its
        own prompt by affinity.

    Raises:
        MvlptError: tasks, options, constraints or files cannot be used.
    """
    file = experiment.grouping.get("file")
    if file:
        return dict.fromkeys(experiment.trainers, read_groups_of(experiment, file))
    prepare()
    options = GroupOptions.from_mapping(experiment.grouping, pictures=pictures)
    with shared_resources():
        runs = runs_of_experiment(experiment, options)
        found = {run.trainer: make_groups(run, Path(out_dir), progress or counting).grouping for run in runs}
    first = next(iter(found.values()))
    return {trainer: found.get(trainer, first) for trainer in experiment.trainers}


def group_graph(graph: TaskGraph, options: GroupOptions, affinity: str = "", trainer: str = "") -> Made:
    """Groups the tasks of a graph.

    Args:
        graph: with the matrices that the options ask for.
        options: what to group by, and how.
        affinity: the name of the graph's affinity to group by, ``""`` for similarities.
        trainer: whose pair runs weights are fitted to.

    Raises:
        GraphError: a matrix is missing, or the constraints contradict.
    """
    fitted = None
    if affinity:
        label = affinity
        matrix = fill_one_sided(graph.matrix(affinity), graph.tasks)
    elif options.fit:
        gains, _ = read_gains(options.fit, graph.tasks, trainer)
        fitted = fit_weights(graph.similarities, gains, graph.tasks)
        label = ",".join(f"{name}={weight:.3g}" for name, weight in fitted.weights.items() if weight)
        matrix = graph.combined(fitted.weights)
    else:
        label = options.similarity
        matrix = graph.combined(options.similarity, options.rescale)
    classes = {task: known["classes"] for task, known in graph.attributes.items() if "classes" in known}
    grouping = group_tasks(
        matrix,
        graph.tasks,
        kind="affinity" if affinity else "similarity",
        classes=classes if options.max_classes is not None else None,
        **options.constraints(),
    )
    settings = {**grouping.settings, ("affinity" if affinity else "similarity"): label}
    return Made(dataclasses.replace(grouping, settings=settings), graph, matrix, label, fitted=fitted)


def prepare_folder(folder: Path) -> None:
    """Makes the output folder.

    Raises:
        RunFolderError: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"Cannot write to {folder}: {error.strerror}; choose another folder") from error


def _written(made: Made, options: GroupOptions, folder: Path, suffix: str, settings: dict[str, object]) -> Made:
    grouping = dataclasses.replace(made.grouping, settings={**made.grouping.settings, **settings})
    directed = bool(options.affinity)
    files = write_all(
        grouping,
        made.graph,
        made.matrix,
        folder,
        label=made.label,
        directed=directed,
        suffix=suffix,
        pictures=options.pictures,
    )
    return dataclasses.replace(made, grouping=grouping, files=files)


def _regroup(args: argparse.Namespace) -> Made:
    """Groups a graph that was written before; no data is read."""
    refuse_beside(args, "--graph", DATA_OPTIONS)
    options = options_of(args, {})
    graph = TaskGraph.load(args.graph)
    tasks = [name.strip() for name in args.tasks.split(",") if name.strip()]
    if tasks:
        graph = graph.subset(tasks)
    affinity = ""
    if options.affinity == "measured":
        matrix, trainer = read_gains(options.results, graph.tasks, args.trainer)
        affinity = f"measured.{trainer}"
        affinities = {**graph.affinities, affinity: matrix}
        graph = TaskGraph(graph.tasks, graph.similarities, affinities, graph.attributes, graph.settings)
    elif options.affinity:
        affinity = _named_affinity(graph, options.affinity, args.trainer)
    made, folder = group_graph(graph, options, affinity, args.trainer), Path(args.out)
    prepare_folder(folder)
    graph.save(folder / GRAPH_FILE)
    return _written(made, options, folder, "", {})


def _named_affinity(graph: TaskGraph, kind: str, trainer: str) -> str:
    """The graph's affinity ``kind.trainer``, or the only one of that kind."""
    names = [name for name in graph.affinities if name == kind or name.startswith(f"{kind}.")]
    wanted = f"{kind}.{trainer}" if trainer else names[0] if len(names) == 1 else ""
    if wanted in names:
        return wanted
    if names:
        raise GraphError(f"The task graph has the affinities {', '.join(names)}; choose one with --trainer")
    raise GraphError(
        f"The task graph has no affinity '{kind}'{suggest(kind, graph.affinities)}; compute it from the data"
    )


def _show(made: Made) -> None:
    """The table, the objective, and what was computed."""
    grouping, graph = made.grouping, made.graph
    count = len(grouping.groups)
    title = f"{len(graph.tasks)} tasks in {count} group{'s' * (count != 1)} by {made.label}"
    if made.fitted is not None:
        show(fit_line(made.fitted))
    drawn = groups_table(grouping, made.matrix, graph.tasks, graph.attributes, title, output_width())
    show(*drawn, objective_line(grouping))
    if made.updated is not None:
        if made.updated.kept:
            show(f"up to date, not computed again: {', '.join(made.updated.kept)}")
        if made.updated.computed:
            show(f"computed: {', '.join(made.updated.computed)}")
    show("files: " + ", ".join(str(path) for path in made.files))


@exit_status
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    setup_logging(verbose=False)
    if args.measured:
        select(args)
        return 0
    if args.budget is not None or args.predict:
        raise ConfigError(
            "--budget and --predict choose among measured sets; give their table with --measured FILE.csv"
        )
    if args.graph:
        _show(_regroup(args))
        return 0
    bars = partial(counting, shown=not args.quiet)
    with shared_resources():
        for run in runs_of_arguments(args):
            _show(make_groups(run, Path(args.out), bars))
    return 0
