"""``tools/train.py`` and ``mvlpt train``: tune or evaluate prompts on one task or many, in the style of CoOp."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from tempfile import TemporaryDirectory
from typing import Any

from mvlpt.cli.common import command_parser, exit_status, results_table, show
from mvlpt.cli.plugin_flags import add_plugin_flags, plugin_options
from mvlpt.cli.train_group import use_group
from mvlpt.config import Config, task_names
from mvlpt.errors import ConfigError
from mvlpt.io import counted
from mvlpt.runtime import setup_logging

EXAMPLES = """\
examples (CONFIG stands for configs/trainers/MVLPT-CoOp/embedded.yaml):
  # one prompt for one embedded task, one image per class
  mvlpt train --config-file CONFIG --dataset weather-plain --shots 1 --seed 1 --output-dir output/weather

  # one prompt shared by three tasks
  mvlpt train --config-file CONFIG --dataset weather-dark,files-dark,tools-dark --multi-task \\
      --shots 1 --seed 1 --output-dir output/shared

  # one prompt for a group of tasks that mvlpt group has found
  mvlpt train --config-file CONFIG --groups out/graph/groups.yaml --group g1 --shots 1 --seed 1

  # start a task from that prompt, with another learning rate
  mvlpt train --config-file CONFIG --dataset medical-dark --shots 1 --seed 1 \\
      --model-dir output/shared --output-dir output/adapted OPTIM.LR 0.001

  # evaluate it again
  mvlpt train --config-file CONFIG --dataset medical-dark --seed 1 \\
      --model-dir output/adapted --eval-only --output-dir output/evaluated

  # go on with an interrupted run: the same command, and --resume
  mvlpt train --config-file CONFIG --dataset weather-plain --shots 1 --seed 1 \\
      --output-dir output/weather --resume

Any option of the configuration can be set at the end of the line as KEY VALUE.
Exit status: 0 done, 2 bad input, 12 out of memory, 28 no space left on the disk, 130 interrupted.
"""


def build_parser() -> argparse.ArgumentParser:
    """The options of CoOp's and the paper's ``train.py``, and a few more."""
    parser = command_parser(
        "train", "Tune prompts of a frozen CLIP-like model on one task or many, or evaluate tuned prompts.", EXAMPLES
    )
    add = parser.add_argument
    what = parser.add_argument_group("what to run")
    what.add_argument("--config-file", default="", metavar="YAML", help="options of the trainer (configs/trainers/)")
    what.add_argument(
        "--dataset-config-file", default="", metavar="YAML", help="options of the data set (configs/datasets/)"
    )
    what.add_argument("--trainer", default="", help="a registered trainer; --list shows them")
    what.add_argument("--backbone", default="", help="an open_clip model, CoOp's spelling (ViT-B/16), or 'embedded'")
    what.add_argument("--head", default="", help=argparse.SUPPRESS)
    what.add_argument(
        "--dataset", default="", metavar="A,B,C", help="one task, or several separated by commas; --list shows them"
    )
    what.add_argument("--groups", default="", metavar="YAML", help="a groups file of mvlpt group, instead of --dataset")
    what.add_argument("--group", default="", metavar="NAME", help="which of its groups shares a prompt, such as g1")
    what.add_argument("--root", default="", help="folder of the data sets (embedded tasks need none)")
    what.add_argument("--shots", type=int, metavar="N", help="training images per class; -1 for all")
    what.add_argument(
        "--samples", default="", metavar="FILE", help="train on a published sample: a file, a pattern or a folder"
    )
    what.add_argument("--seed", type=int, default=None, help="0 or above; without it a seed is drawn and recorded")
    where = parser.add_argument_group("where")
    where.add_argument(
        "--output-dir",
        default="",
        metavar="DIR",
        help="folder of this run; refused if another run lives there (default: output/TRAINER/TASKS/SHOTS/SEED)",
    )
    where.add_argument(
        "--resume", nargs="?", const="", default=None, metavar="DIR", help="go on with the run in --output-dir (or DIR)"
    )
    where.add_argument(
        "--model-dir", default="", metavar="DIR", help="start from, or evaluate, the prompt of the run in DIR"
    )
    where.add_argument(
        "--init-from", default="", metavar="LIBRARY", help="start from what suits the task in a library of prompts"
    )
    where.add_argument(
        "--init-mix", type=int, metavar="K", help="from the weighted mean of the K best (default: the best)"
    )
    where.add_argument(
        "--load-epoch", type=int, default=0, metavar="N", help="its checkpoint of epoch N; default: best, or else last"
    )
    where.add_argument(
        "--force", action="store_true", help="load it even if it was trained on other classes or another backbone"
    )
    mode = parser.add_argument_group("how")
    mode.add_argument("--eval-only", action="store_true", help="evaluate the prompt in --model-dir; train nothing")
    mode.add_argument(
        "--no-train", action="store_true", help="build data and model, check that all fits, write nothing"
    )
    mode.add_argument(
        "--multi-task", action="store_true", help="share one prompt among the tasks of --dataset (implied by several)"
    )
    mode.add_argument(
        "--multi-task-label-pertask", "--multi-task-label_pertask", action="store_true", dest="label_pertask",
        help="rank an image among its own task's classes in training too (default: among all tasks' classes)",
    )  # fmt: skip
    mode.add_argument(
        "--multi-task-evalkey", default="", metavar="TASK", help="task that selects the best epoch (default: average)"
    )
    mode.add_argument(
        "--source-domains", nargs="+", metavar="D", help="source domains, for data sets that have domains"
    )
    mode.add_argument("--target-domains", nargs="+", metavar="D", help="target domains, likewise")
    mode.add_argument("--transforms", nargs="+", metavar="T", help="training transforms, by Dassl's names")
    mode.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="PATH",
        help="a file, or a whole repository, that registers trainers or data sets",
    )
    mode.add_argument(
        "--logger",
        default="",
        metavar="A,B",
        help="what records the run, besides metrics.csv: tensorboard (default), wandb, mlflow, or a plugin's",
    )
    mode.add_argument("--quiet", action="store_true", help="no progress bar, no messages but warnings and the table")
    mode.add_argument("--list", action="store_true", help="list trainers and tasks, and stop")
    mode.add_argument("--dataset-coop", action="store_true", help=argparse.SUPPRESS)  # the paper's switches, accepted
    mode.add_argument("--cut-contextlen", action="store_true", help=argparse.SUPPRESS)
    mode.add_argument("--act-ckpt", type=int, default=None, help=argparse.SUPPRESS)
    add("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="any options of the configuration")
    return parser


def setup_cfg(args: argparse.Namespace, start_folder: str | None = None) -> Config:
    """Defaults, then the data set's file, the trainer's file, the options, the overrides; see :func:`resolve_config`.

    Args:
        args: of the command line.
        start_folder: where a start from a library is written; by default the run's folder.

    Raises:
        ConfigError: something in them is unknown or does not fit.
    """
    from mvlpt.api import resolve_config  # loads torch, which the help does without

    use_group(args)

    def resolved(**options: Any) -> Config:
        return resolve_config(
            files=[file for file in (args.dataset_config_file, args.config_file) if file],
            options={**_named_options(args), **options},
            overrides=args.opts,
            plugins=args.plugin,
            resume=args.resume,
        )

    cfg = resolved()
    if not args.init_from:
        if args.init_mix is not None:
            raise ConfigError(f"--init-mix {args.init_mix} takes prompts from a library; name it with --init-from")
        return cfg
    from mvlpt.library import start_of_run

    count = 1 if args.init_mix is None else args.init_mix
    return resolved(**{"RUN.INIT_FROM": start_of_run(args.init_from, cfg, count, start_folder)})


def _named_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options that the command line names, by key, as the paper's ``reset_cfg`` does."""
    options = {
        "DATASET.ROOT": args.root,
        "OUTPUT_DIR": args.output_dir,
        "DATASET.SOURCE_DOMAINS": args.source_domains,
        "DATASET.TARGET_DOMAINS": args.target_domains,
        "INPUT.TRANSFORMS": args.transforms,
        "TRAINER.NAME": args.trainer,
        "MODEL.BACKBONE.NAME": args.backbone,
        "MODEL.HEAD.NAME": args.head,
        "DATASET.DATASET": args.dataset,
        "DATASET.NUM_SHOTS": args.shots,
        "DATASET.SAMPLES": args.samples,
        "DATASET.MULTITASK": args.multi_task or None,
        "DATASET.MULTITASK_LABEL_PERTASK": args.label_pertask or None,
        "DATASET.MULTITASK_EVALKEY": args.multi_task_evalkey,
        "DATASET.COOP": args.dataset_coop or None,
        "TRAINER.CUT_CONTEXTLEN": args.cut_contextlen or None,
        "TRAINER.ACT_CKPT": args.act_ckpt,
        "SEED": args.seed,
        "DATASET.RANDOM_SEED_SAMPLING": args.seed,
        "RUN.INIT_FROM": args.model_dir,
        "RUN.INIT_EPOCH": args.load_epoch or None,
        "RUN.FORCE": args.force or None,
        "RUN.LOGGER": args.logger,
        "RUN.MODE": "eval" if args.eval_only else "build" if args.no_train else "",
        "VERBOSE": False if args.quiet else None,
        **plugin_options(args),
    }
    return {key: value for key, value in options.items() if value is not None and value != ""}


def _list_names(plugins: Sequence[str]) -> None:
    from mvlpt.dassl import load_installed_plugins, load_plugin, offer_installed
    from mvlpt.data.datasets import DATASET_REGISTRY
    from mvlpt.engine import TRAINER_REGISTRY, load_shipped

    load_shipped()
    load_installed_plugins()
    offer_installed()
    for plugin in plugins:
        load_plugin(plugin)
    for title, registry in (("trainers", TRAINER_REGISTRY), ("tasks", DATASET_REGISTRY)):
        show(f"{title:<10}{', '.join(sorted(registry.registered_names()))}")


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    parser = build_parser()
    add_plugin_flags(parser, argv)
    args = parser.parse_args(argv)
    if args.list:
        _list_names(args.plugin)
        return 0
    from mvlpt.engine import arm_of, run_config

    with TemporaryDirectory() if args.no_train else nullcontext() as folder:  # it writes nothing, no start either
        cfg = setup_cfg(args, folder)
        setup_logging(cfg.VERBOSE)
        outcome = run_config(cfg)
    tasks = task_names(cfg)
    title = f"{cfg.TRAINER.NAME}, {arm_of(cfg)}, {counted(len(tasks), 'task')}, seed {cfg.SEED}"
    if cfg.RUN.MODE == "build":
        show(f"{title}: data and model fit; nothing was written (--no-train)")
        return 0
    if outcome.was_finished:
        show(f"{outcome.folder} holds this run, finished; nothing was done")
    if outcome.rows:
        show(results_table(outcome.rows, title))
    if cfg.TEST.PER_CLASS_RESULT or cfg.TEST.COMPUTE_CMAT:
        from mvlpt.cli.class_output import show_classes

        show_classes(cfg, outcome.folder)
    show(f"files: {outcome.folder}")
    return 0
