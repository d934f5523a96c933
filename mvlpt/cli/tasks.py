"""``tools/tasks.py`` and ``mvlpt tasks``: list the tasks, find, check, show, sample and download their data."""

from __future__ import annotations

import argparse
import json
from typing import Any

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.data.sources import FAMILIES, download_task, task_metadata
from mvlpt.errors import ConfigError
from mvlpt.io import counted, sentence
from mvlpt.report.tasks import list_tasks, listing_table, task_record
from mvlpt.runtime import CleanConsole

EXAMPLES = """\
examples:
  # every task the package knows, and where its data was found or looked for
  mvlpt tasks list --root DATA
  mvlpt tasks list --family embedded --json

  # read every image of a task: counts, unreadable images, labels, the same picture in train and test, balance
  mvlpt tasks check dtd --root DATA
  mvlpt tasks check weather-dark

  # draw some images of each class on one page
  mvlpt tasks show weather-dark --out weather-dark.png --per-class 5

  # write which images a run with 16 shots and seed 1 trains on, for others to train on the same (--samples)
  mvlpt tasks samples dtd --root DATA --shots 16 --seed 1 --output dtd-shots16-seed1.jsonl

  # download it, if torchvision can; otherwise a sentence says how to get it
  mvlpt tasks download dtd --root DATA

NAME is a known task, an alias, a registered data set, a task file (my.yaml) or a folder of class folders (my/photos/).

Exit status: 0 sound, 1 problems found (check), 2 bad input, 130 interrupted.
"""


def build_parser() -> argparse.ArgumentParser:
    """The five verbs and their options."""
    parser = command_parser("tasks", "List, check, show, sample and download tasks.", EXAMPLES)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list | check | show | samples | download")
    listing = verbs.add_parser("list", help="a table of all known tasks")
    listing.add_argument("--family", default=None, metavar="F", help=f"only one of {', '.join(FAMILIES)}")
    listing.add_argument("--json", action="store_true", help="as JSON, with every path that was looked at")
    check = verbs.add_parser("check", help="read all images and report what is wrong")
    sheet = verbs.add_parser("show", help="draw a page with images of every class")
    sheet.add_argument("--out", required=True, metavar="PNG", help="the page")
    sheet.add_argument(
        "--per-class", type=int, default=5, metavar="K", help="images of each class (default: %(default)s)"
    )
    sheet.add_argument("--split", default="train", choices=("train", "val", "test"), help="default: %(default)s")
    sheet.add_argument(
        "--classes", type=int, default=200, metavar="N", help="the first N classes (default: %(default)s)"
    )
    sheet.add_argument("--side", type=int, default=96, metavar="PIXELS", help="of an image (default: %(default)s)")
    sheet.add_argument("--seed", type=int, default=0, help="other images (default: %(default)s)")
    drawn = verbs.add_parser("samples", help="write a few-shot sample as JSON lines, which --samples reads")
    drawn.add_argument("--shots", type=int, required=True, metavar="N", help="training images per class")
    drawn.add_argument("--seed", type=int, default=1, help="of the sample (default: %(default)s)")
    drawn.add_argument(
        "--sampling", default="independent", choices=("independent", "coop"), help="the rule (default: %(default)s)"
    )
    drawn.add_argument("--output", required=True, metavar="JSONL", help="the file")
    get = verbs.add_parser("download", help="get a task through torchvision")
    for verb in (check, sheet, drawn, get):
        verb.add_argument("name", metavar="NAME", help="the task")
    for verb in (listing, check, sheet, drawn, get):
        verb.add_argument(
            "--root", default="", metavar="DIR", help="folder of the data sets (embedded tasks need none)"
        )
    for verb in (check, sheet, drawn):
        verb.add_argument("--source", default="auto", help="auto, official, torchvision or folder (ELEVATER's tasks)")
        verb.add_argument("--plugin", action="append", default=[], metavar="FILE.py", help="a file with data sets")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    verbs = {"list": _list, "check": _check, "show": _show, "samples": _samples, "download": _download}
    return verbs[args.verb](args)


def _list(args: argparse.Namespace) -> int:
    tasks = list_tasks(args.root, args.family)
    if args.json:
        print(json.dumps([task_record(task) for task in tasks], indent=1))
        return 0
    console = CleanConsole()
    width = console.width if console.is_terminal else 180
    CleanConsole(width=width).print(listing_table(tasks, args.root, width))
    found = sum(bool(task.location) for task in tasks)
    hint = "" if args.root or found == len(tasks) else "; give --root DIR, the folder of the data sets"
    show(f"{found} of {len(tasks)} found{hint}. `mvlpt tasks download NAME --root DIR` gets one or says how.")
    return 0


def _check(args: argparse.Namespace) -> int:
    from mvlpt.report.tasks import balance_table, check_task
    from mvlpt.runtime import counting

    dataset = _build(args)
    with counting(f"reading {dataset.name}") as progress:
        found = check_task(dataset, args.name, progress)
    show(balance_table(dataset, found))
    console = CleanConsole(width=10_000)
    for kind, sentences in (("remark", found.remarks), ("problem", found.problems)):
        for text in sentences:
            console.print(f"{kind}: {sentence(text)}", markup=False)
    count = len(found.problems)
    show(counted(count, "problem") if count else "nothing is wrong")
    return 1 if count else 0


def _show(args: argparse.Namespace) -> int:
    from mvlpt.report.tasks import check_sheet_path, save_contact_sheet

    for key in ("per_class", "classes", "side"):
        if getattr(args, key) < 1:
            raise ConfigError(f"--{key.replace('_', '-')} is {getattr(args, key)}, but must be at least 1")
    check_sheet_path(args.out)
    options = {key: getattr(args, key) for key in ("split", "per_class", "classes", "side", "seed")}
    page = save_contact_sheet(_build(args), args.out, **options)
    show(f"{args.out}: {page.width} x {page.height} pixels, {page.images} images of {page.classes} classes")
    return 0


def _samples(args: argparse.Namespace) -> int:
    from mvlpt.report.tasks import save_sample_lines

    _register(args)
    options = {key: getattr(args, key) for key in ("shots", "seed", "root", "source", "sampling")}
    saved = save_sample_lines(args.name, args.output, **options)
    show(f"{args.output}: {saved.train:,} training and {saved.val:,} validation images of {saved.classes:,} classes")
    return 0


def _download(args: argparse.Namespace) -> int:
    metadata = task_metadata(args.name)
    if metadata.downloads and not args.root:
        raise ConfigError(f"--root is missing: the folder of the data sets, below which '{metadata.name}' goes")
    location = download_task(metadata, args.root)
    show(f"{metadata.name}: {location.path} ({location.source} layout)")
    if metadata.torchvision.differs:
        show(f"note: {metadata.torchvision.differs}; results are marked with the split 'torchvision'")
    return 0


def _build(args: argparse.Namespace) -> Any:
    """The data set, with all its images."""
    from mvlpt.report.tasks import build_whole_dataset

    _register(args)
    return build_whole_dataset(args.name, args.root, args.source)


def _register(args: argparse.Namespace) -> None:
    """Registers the data sets that ship, those of installed packages, and those of ``--plugin``."""
    from mvlpt.dassl import load_installed_plugins, load_plugin, offer_installed
    from mvlpt.engine import load_shipped

    load_shipped()
    load_installed_plugins()
    offer_installed()
    for file in args.plugin:
        load_plugin(file)
