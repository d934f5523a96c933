"""``mvlpt library``: store tuned prompts, list them, and find those that suit a new task."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.errors import LibraryError
from mvlpt.io import counted, rich_text
from mvlpt.runtime import counting, setup_logging

EXAMPLES = """\
examples:
  mvlpt library add prompts/ output/shared output/demo       # runs, or folders of runs
  mvlpt library list prompts/
  mvlpt library suggest prompts/ weather-dark --shots 1      # which of them suits this task
  mvlpt train ... --dataset weather-dark --init-from prompts/                 # start from the best
  mvlpt train ... --dataset weather-dark --init-from prompts/ --init-mix 3    # from the mean of three

A library holds prompts of one backbone. Prompts are ranked by how alike the images are that they were tuned on; the
first ones are tried on the task's few training images and ordered by their loss.
Exit status: 0 done, 2 bad input, 130 interrupted.
"""


def build_parser() -> argparse.ArgumentParser:
    """The subcommands and their options."""
    parser = command_parser("library", "A library of tuned prompts that new tasks start from.", EXAMPLES)
    commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="store the prompts of finished runs")
    add.add_argument("library", metavar="LIBRARY", help="its folder, made when it is missing")
    add.add_argument("runs", nargs="+", metavar="RUN", help="run folders, or folders in which all runs are found")
    add.add_argument("--plugin", action="append", default=[], metavar="PATH", help="registers the runs' data sets")
    add.add_argument("--quiet", action="store_true", help="no progress bar")
    lists = commands.add_parser("list", help="what is stored")
    lists.add_argument("library", metavar="LIBRARY")
    lists.add_argument("--json", action="store_true", help="as JSON")
    suggest = commands.add_parser("suggest", help="rank the prompts for a task")
    suggest.add_argument("library", metavar="LIBRARY")
    suggest.add_argument("task", metavar="TASK", help="a task's name, folder or YAML file")
    suggest.add_argument("--shots", type=int, default=1, metavar="N", help="training images per class (default: 1)")
    suggest.add_argument("--seed", type=int, default=1, help="of the few-shot sample (default: 1)")
    suggest.add_argument("--root", default="", help="folder of the data sets")
    suggest.add_argument("--method", default="", help="only prompts of this method, such as vpt")
    suggest.add_argument(
        "--try", type=int, default=16, dest="shortlist", metavar="N",
        help="try the N most similar prompts on the images; 0: order by similarity (default: %(default)s)",
    )  # fmt: skip
    suggest.add_argument("--top", type=int, default=10, metavar="N", help="prompts to list (default: %(default)s)")
    suggest.add_argument("--plugin", action="append", default=[], metavar="PATH", help="registers the task")
    suggest.add_argument("--json", action="store_true", help="as JSON")
    suggest.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    setup_logging(verbose=False)
    return {"add": _add, "list": _list, "suggest": _suggest}[args.what](args)


def _add(args: argparse.Namespace) -> int:
    import torch

    from mvlpt.api import resolve_config
    from mvlpt.engine import configured_backbone
    from mvlpt.library import PromptLibrary, embedded_task

    library, runs = PromptLibrary(args.library), list(_runs(args.runs))
    added = 0
    with counting("prompts", shown=not args.quiet) as move:
        for number, run in enumerate(runs, 1):

            def embed(run: Path = run) -> Any:
                cfg = resolve_config(files=[run / "config.yaml"], options={}, plugins=args.plugin)
                return embedded_task(cfg, configured_backbone(cfg, torch.device("cpu"), "fp32"))

            added += library.add(run, embed) is not None
            move(number, len(runs))
    known = f", {len(runs) - added} known before" if added < len(runs) else ""
    show(f"{args.library}: {counted(added, 'prompt')} added{known}; {len(library)} in all")
    return 0


def _runs(paths: Sequence[str]) -> Iterator[Path]:
    """Run folders: those named, or found within.

    Raises:
        LibraryError: a folder holds no run with a prompt.
    """
    for path in map(Path, paths):
        if not path.is_dir():
            raise LibraryError(f"{path} is no folder of a run")
        found = [path] if (path / "prompt.safetensors").is_file() else sorted(
            file.parent for file in path.rglob("prompt.safetensors") if (file.parent / "config.yaml").is_file()
        )  # fmt: skip
        if not found:
            raise LibraryError(
                f"{path} holds no run with a prompt.safetensors; name finished runs of trainers that tune a prompt or"
                " change the towers"
            )
        yield from found


def _list(args: argparse.Namespace) -> int:
    from mvlpt.library import PromptLibrary

    if not Path(args.library).exists():
        raise LibraryError(f"There is no library at {args.library}; mvlpt library add {args.library} RUN makes one")
    library = PromptLibrary(args.library)
    if args.json:
        print(json.dumps([entry.as_record() for entry in library.entries], indent=2))
        return 0
    title = f"{counted(len(library), 'prompt')} of backbone {library.backbone.get('name', '?')}"
    table = _table(title, "trainer", "tasks", "shots", "seed")
    for entry in library.entries:
        bound = " (class-specific)" if entry.class_bound else ""
        cells = entry.key, entry.trainer + bound, ", ".join(entry.tasks), str(entry.shots), str(entry.seed)
        table.add_row(*map(rich_text, cells))
    show(table)
    return 0


def _suggest(args: argparse.Namespace) -> int:
    import torch

    from mvlpt.api import resolve_config
    from mvlpt.engine import configured_backbone
    from mvlpt.library import PromptLibrary, suggest_prompts

    for flag, value, least in (("seed", args.seed, 0), ("try", args.shortlist, 0), ("top", args.top, 1)):
        if value < least:
            raise LibraryError(f"--{flag} is {value}; give {least} or more")
    library = PromptLibrary(args.library)
    if not len(library):
        raise LibraryError(f"{args.library} holds no prompts; add some: mvlpt library add {args.library} RUN")
    options = {
        "TRAINER.NAME": "ZeroshotCLIP",  # what reads images as the backbone wants them
        "DATASET.DATASET": args.task,
        "DATASET.NUM_SHOTS": args.shots,
        "SEED": args.seed,
        "DATASET.RANDOM_SEED_SAMPLING": args.seed,
        "DATASET.ROOT": args.root,
        "MODEL.BACKBONE.NAME": library.backbone["name"],
        "MODEL.BACKBONE.PRETRAINED": library.backbone["pretrained"],
    }
    given = {key: value for key, value in options.items() if value != ""}
    cfg = resolve_config(options=given, plugins=args.plugin)
    backbone = configured_backbone(cfg, torch.device("cpu"), "fp32")
    options = {"method": args.method, "shortlist": args.shortlist}
    with counting("prompts", shown=not args.quiet) as move:
        found = suggest_prompts(library, cfg, backbone, progress=move, **options)[: args.top]
    if args.json:
        records = [
            {**one.entry.as_record(), "similarity": one.similarity, "loss": one.loss, "accuracy": one.accuracy}
            for one in found
        ]
        print(json.dumps(records, indent=2))
        return 0
    title = f"prompts for {args.task}, {counted(args.shots, 'shot')}, seed {args.seed}"
    table = _table(title, "trainer", "tasks", "similarity", "loss", "accuracy %")
    for one in found:
        tried = ("-", "-") if one.loss is None else (f"{abs(one.loss):.3f}", f"{one.accuracy:.1f}")
        cells = one.entry.key, one.entry.trainer, ", ".join(one.entry.tasks), f"{one.similarity:+.3f}", *tried
        table.add_row(*map(rich_text, cells))
    show(table)
    return 0


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("prompt", *columns):
        numbers = name in ("shots", "seed", "similarity", "loss", "accuracy %")
        table.add_column(name, justify="right" if numbers else "left")
    return table
