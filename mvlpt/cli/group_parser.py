"""The options of ``tools/group_tasks.py`` and ``mvlpt group``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from mvlpt.cli.common import command_parser
from mvlpt.config import split_names
from mvlpt.errors import ConfigError
from mvlpt.experiment.grouping import GROUPING_OPTIONS, GROUPS, MATRIX, OUTPUT, DataChoice

EXAMPLES = """\
examples:
  # the 24 embedded tasks, by how alike their images and their class names are
  mvlpt group --config-file configs/experiments/demo.yaml --output-dir out/graph

  # a few tasks in two groups; look at the images alone
  mvlpt group --dataset weather-plain,weather-dark,tools-plain,tools-dark --shots 4 --seed 1 \\
      --similarity visual --groups 2 --output-dir out/four

  # what training on one task does to the others, by the gradients of a visual prompt
  mvlpt group --config-file configs/trainers/MVLPT-VPT/embedded.yaml --shots 1 --seed 1 \\
      --dataset weather-plain,weather-dark,tools-plain,tools-dark --affinity grad --output-dir out/grad

  # what it did, by the pair runs of an experiment
  mvlpt group --config-file EXPERIMENT.yaml --affinity measured --results output/results.jsonl \\
      --trainer MVLPT-VPT --output-dir out/measured

  # group again without the data: other weights, other constraints
  mvlpt group --graph out/graph/task_graph.json --similarity label=1 --max-size 6 \\
      --cannot-link weather-plain+weather-dark --output-dir out/again

  # choose among candidate sets whose scores were measured (one row a set, one column a task), under a budget
  mvlpt group --measured table.csv --budget 4 --lower-is-better --output-dir out/chosen

  # train on folds of the images, and choose for each task of an experiment what serves it
  mvlpt group --config-file EXPERIMENT.yaml --choose --budget 0.25 --output-dir out/choice

The folder gets task_graph.json, task_graph.graphml, groups.yaml (edit it by hand if you like), similarity.png/.svg and
graph.png/.svg. A second run in the same folder computes only what has changed. Options of the configuration can be set
at the end of the line as KEY VALUE. Exit status: 0 done, 2 bad input, 130 interrupted.
"""


# Options that neither a graph that is grouped again nor a table of measured sets has a use for.
DATA_OPTIONS = ("config_file", "backbone", "root", "shots", "seed", "plugin")


def refuse_beside_graph(args: argparse.Namespace) -> None:
    """Refuses options that have no effect beside ``--graph``.

    Raises:
        ConfigError: one of them is given, too.
    """
    _refuse_beside(args, "--graph", [*DATA_OPTIONS, "steps"])


def refuse_beside_measured(args: argparse.Namespace) -> None:
    """Refuses options that have no effect beside ``--measured``.

    Raises:
        ConfigError: one of them is given, too.
    """
    grouping = [one.dest for one in GROUPING_OPTIONS if one.heading in (MATRIX, GROUPS) and one.name != "max_size"]
    _refuse_beside(args, "--measured", [*DATA_OPTIONS, "graph", *grouping])


def refuse_beside_choose(args: argparse.Namespace) -> None:
    """Refuses options that have no effect beside ``--choose``.

    Raises:
        ConfigError: one of them is given, too, or there is no experiment to choose for.
    """
    if not args.config_file:
        raise ConfigError("--choose trains the prompts of an experiment; name its file with --config-file")
    grouping = [one.dest for one in GROUPING_OPTIONS if one.flag and one.heading in (MATRIX, GROUPS)]
    _refuse_beside(args, "--choose", ["graph", "measured", "predict", *(set(grouping) - {"method"})])


def _refuse_beside(args: argparse.Namespace, option: str, names: Sequence[str]) -> None:
    """Refuses options that would have no effect, and all of the configuration.

    Args:
        args: of the command line.
        option: the one that is given.
        names: of those that have no effect beside it, as attributes of ``args``.

    Raises:
        ConfigError: one of them is given, too.
    """
    for name in names:
        if _is_given(getattr(args, name)):
            raise ConfigError(f"--{name.replace('_', '-')} means nothing beside {option}; drop one of them")
    if args.opts:
        raise ConfigError(f"'{args.opts[0]}' means nothing beside {option}, which reads no configuration; drop it")


def _is_given(value: Any) -> bool:
    """Whether a parsed value differs from what argparse puts in the place of an option that is not there."""
    return not (value is None or value is False or value == "" or value == [])


def given_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of grouping on a command line, by the names of their fields in :class:`GroupingOptions`.

    Raises:
        ConfigError: a value cannot be used.
    """
    values = {option: getattr(args, option.dest) for option in GROUPING_OPTIONS if option.flag}
    return {option.name: option.parsed(value) for option, value in values.items() if _is_given(value)}


def given_data(args: argparse.Namespace) -> DataChoice:
    """The tasks on a command line, and what is read of them."""
    return DataChoice(named_tasks(args), args.backbone, args.root, args.shots, args.seed)


def named_tasks(args: argparse.Namespace) -> tuple[str, ...]:
    """The names after ``--dataset``."""
    return tuple(split_names(args.tasks))


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser(
        "group", "Build the graph of tasks and pick the groups that should share a prompt.", EXAMPLES
    )
    what = parser.add_argument_group("which tasks")
    what.add_argument(
        "--config-file", default="", metavar="YAML", help="an experiment (configs/experiments/) or a trainer's options"
    )
    what.add_argument(
        "--dataset", dest="tasks", default="", metavar="A,B,C", help="names of tasks; of an experiment's, only these"
    )
    what.add_argument("--graph", default="", metavar="JSON", help="a task_graph.json: group again without the data")
    what.add_argument("--backbone", default="", help="an open_clip model, CoOp's spelling (ViT-B/16), or 'embedded'")
    what.add_argument("--root", default="", help="folder of the data sets (embedded tasks need none)")
    what.add_argument("--shots", type=int, metavar="N", help="training images per class that are looked at; -1 for all")
    what.add_argument(
        "--seed", type=int, help="of the few-shot sample and the prompt (default: the experiment's, or 1)"
    )
    what.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="FILE.py",
        help="a file that registers data sets or similarities",
    )
    for heading in (MATRIX, GROUPS):
        _add_options(parser.add_argument_group(heading), heading)
    chosen = parser.add_argument_group("or chosen from measured sets")
    chosen.add_argument("--measured", default="", metavar="CSV", help="a table: a row a set, a column a task, and cost")
    chosen.add_argument(
        "--budget",
        type=float,
        metavar="C",
        help="the chosen sets cost at most this together; with --choose: the share of the cost of all arms",
    )
    chosen.add_argument("--predict", action="store_true", help="add larger sets, predicted from the pairs in the table")
    better = chosen.add_mutually_exclusive_group()
    better.add_argument("--lower-is-better", action="store_true", default=True, help="scores are losses (default)")
    better.add_argument(
        "--higher-is-better", action="store_false", dest="lower_is_better", help="scores are accuracies"
    )
    estimated = parser.add_argument_group("or chosen by training on folds of the images")
    estimated.add_argument(
        "--choose", action="store_true", help="choose what each task of an experiment shares; docs/choosing.md"
    )
    out = parser.add_argument_group(OUTPUT)
    out.add_argument(
        "--output-dir",
        dest="out",
        default="output/graph",
        metavar="DIR",
        help="folder of the files (default: %(default)s)",
    )
    _add_options(out, OUTPUT)
    out.add_argument("--force", action="store_true", help="replace a groups file even if it was edited by hand")
    out.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="any options of the configuration")
    return parser


def _add_options(group: argparse._ArgumentGroup, heading: str) -> None:
    """Adds the options of grouping that are listed under a heading."""
    for option in GROUPING_OPTIONS:
        if option.heading == heading and option.flag:
            group.add_argument(option.flag, **option.argument)
