"""The options of ``tools/group_tasks.py`` and ``mvlpt group``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mvlpt.cli.common import command_parser
from mvlpt.cli.group_options import AFFINITIES, SIMILARITY
from mvlpt.errors import ConfigError
from mvlpt.graph import SIMILARITIES
from mvlpt.graph.grouping.partition import METHODS

EXAMPLES = """\
examples:
  # the 24 embedded tasks, by how alike their images and their class names are
  mvlpt group --config-file configs/experiments/demo.yaml --out out/graph

  # a few tasks in two groups; look at the images alone
  mvlpt group --tasks weather-plain,weather-dark,tools-plain,tools-dark --shots 4 --seed 1 \\
      --similarity visual --groups 2 --out out/four

  # what training on one task does to the others, by the gradients of a visual prompt
  mvlpt group --config-file configs/trainers/MVLPT-VPT/embedded.yaml --shots 1 --seed 1 \\
      --tasks weather-plain,weather-dark,tools-plain,tools-dark --affinity grad --out out/grad

  # what it did, by the pair runs of an experiment
  mvlpt group --config-file EXPERIMENT.yaml --affinity measured --results output/results.jsonl \\
      --trainer MVLPT-VPT --out out/measured

  # group again without the data: other weights, other constraints
  mvlpt group --graph out/graph/task_graph.json --similarity label=1 --max-size 6 \\
      --cannot-link weather-plain+weather-dark --out out/again

  # choose among candidate sets whose scores were measured (one row a set, one column a task), under a budget
  mvlpt group --measured table.csv --budget 4 --lower-is-better --out out/chosen

--out gets task_graph.json, task_graph.graphml, groups.yaml (edit it by hand if you like), similarity.png/.svg and
graph.png/.svg. A second run in the same folder computes only what has changed. Options of the configuration can be set
at the end of the line as KEY VALUE. Exit status: 0 done, 2 bad input, 130 interrupted.
"""


# what neither a graph that is grouped again nor a table of measured sets has a use for
DATA_OPTIONS = ("config_file", "backbone", "root", "shots", "seed", "plugin", "steps")


def refuse_beside(args: argparse.Namespace, option: str, names: Sequence[str]) -> None:
    """Refuses options that would be passed over in silence, and all of the configuration.

    Args:
        args: of the command line.
        option: the one that is given.
        names: of those that mean nothing beside it, as attributes of ``args``.

    Raises:
        ConfigError: one of them is given, too.
    """
    for name in names:
        if getattr(args, name) not in (None, "", [], False):
            raise ConfigError(f"--{name.replace('_', '-')} means nothing beside {option}; drop one of them")
    if args.opts:
        raise ConfigError(f"'{args.opts[0]}' means nothing beside {option}, which reads no configuration; drop it")


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser(
        "group", "Build the graph of tasks and pick the groups that should share a prompt.", EXAMPLES
    )
    what = parser.add_argument_group("which tasks")
    what.add_argument(
        "--config-file", default="", metavar="YAML", help="an experiment (configs/experiments/) or a trainer's options"
    )
    what.add_argument("--tasks", default="", metavar="A,B,C", help="names of tasks; of an experiment's, only these")
    what.add_argument("--graph", default="", metavar="JSON", help="a task_graph.json: group again without the data")
    what.add_argument("--backbone", default="", help="an open_clip model, CoOp's spelling (ViT-B/16), or 'embedded'")
    what.add_argument("--root", default="", help="folder of the data sets (embedded tasks need none)")
    what.add_argument("--shots", type=int, metavar="N", help="training images per class that are looked at; -1 for all")
    what.add_argument(
        "--seed", type=int, help="of the few-shot sample and the prompt (default: the experiment's, or 1)"
    )
    what.add_argument(
        "--plugin", action="append", default=[], metavar="FILE.py", help="a file that registers data sets"
    )
    by = parser.add_argument_group("grouped by")
    by.add_argument(
        "--similarity",
        default="",
        metavar="W",
        help=f"weights of {', '.join(SIMILARITIES)} (default: {SIMILARITY}); docs/graph.md",
    )
    by.add_argument("--raw", action="store_true", help="average similarities as they are, not stretched over [0, 1]")
    by.add_argument("--fit", default="", metavar="JSONL", help="fit the weights to the pair runs of a results file")
    by.add_argument(
        "--affinity", default="", metavar="|".join(AFFINITIES), help="how training on one task changes another instead"
    )
    by.add_argument("--trainer", default="", help="whose prompt affinities are of; default: that of the config file")
    by.add_argument("--steps", type=int, metavar="N", help="of joint training (default: grad 10, lookahead 3)")
    by.add_argument("--results", default="", metavar="JSONL", help="pair runs, for --affinity measured")
    how = parser.add_argument_group("into groups")
    how.add_argument(
        "--method", default="", metavar="NAME", help=f"one of {', '.join(METHODS)} (default: auto); docs/grouping.md"
    )
    how.add_argument("--groups", type=int, metavar="N", help="this many groups")
    how.add_argument("--max-size", type=int, metavar="N", help="at most N tasks in a group")
    how.add_argument("--max-classes", type=int, metavar="N", help="at most N classes in a group")
    how.add_argument("--must-link", action="append", default=[], metavar="A+B", help="tasks that share a group")
    how.add_argument("--cannot-link", action="append", default=[], metavar="A+B", help="tasks that do not")
    how.add_argument("--threshold", type=float, metavar="S", help="the value from which on a pair should share a group")
    how.add_argument("--grouping-seed", type=int, metavar="N", help="of methods that draw at random")
    chosen = parser.add_argument_group("or chosen from measured sets")
    chosen.add_argument("--measured", default="", metavar="CSV", help="a table: a row a set, a column a task, and cost")
    chosen.add_argument("--budget", type=float, metavar="C", help="the chosen sets cost at most this together")
    chosen.add_argument("--predict", action="store_true", help="add larger sets, predicted from the pairs in the table")
    better = chosen.add_mutually_exclusive_group()
    better.add_argument("--lower-is-better", action="store_true", default=True, help="scores are losses (default)")
    better.add_argument(
        "--higher-is-better", action="store_false", dest="lower_is_better", help="scores are accuracies"
    )
    out = parser.add_argument_group("output")
    out.add_argument("--out", default="output/graph", metavar="DIR", help="folder of the files (default: %(default)s)")
    out.add_argument("--no-pictures", action="store_true", help="draw nothing")
    out.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="any options of the configuration")
    return parser
