"""``tools/tasks.py`` and ``mvlpt tasks``: which tasks there are, where their data is, and whether it is sound."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mvlpt.cli.common import command_parser, exit_status, show
from mvlpt.data.sources import FAMILIES, Location, TaskMetadata, known_tasks, locate, task_metadata
from mvlpt.errors import ConfigError, UnknownNameError
from mvlpt.io import atomic_write

EXAMPLES = """\
examples:
  # every task the package knows, and where its data was found or looked for
  mvlpt tasks list --root DATA
  mvlpt tasks list --family embedded --json

  # read every image of a task: counts, unreadable images, labels, the same picture in train and test, balance
  mvlpt tasks check dtd --root DATA
  mvlpt tasks check weather-dark

  # look at it: some images of each class on one page
  mvlpt tasks show weather-dark --out weather-dark.png --per-class 5

  # get it, where torchvision can; otherwise a sentence says how
  mvlpt tasks download dtd --root DATA

NAME is a known task, an alias, a registered data set, a task file (my.yaml) or a folder of class folders (my/photos/).

Exit status: 0 sound, 1 problems found (check), 2 bad input, 130 interrupted.
"""


def build_parser() -> argparse.ArgumentParser:
    """The four verbs and their options."""
    parser = command_parser("tasks", "List, check, show and get the tasks.", EXAMPLES)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list | check | show | download")
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
    get = verbs.add_parser("download", help="get a task through torchvision")
    for verb in (check, sheet, get):
        verb.add_argument("name", metavar="NAME", help="the task")
    for verb in (listing, check, sheet, get):
        verb.add_argument(
            "--root", default="", metavar="DIR", help="folder of the data sets (embedded tasks need none)"
        )
    for verb in (check, sheet):
        verb.add_argument("--source", default="auto", help="auto, official, torchvision or folder (ELEVATER's tasks)")
        verb.add_argument("--plugin", action="append", default=[], metavar="FILE.py", help="a file with data sets")
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    args = build_parser().parse_args(argv)
    return {"list": _list, "check": _check, "show": _show, "download": _download}[args.verb](args)


def _list(args: argparse.Namespace) -> int:
    rows = [(metadata, locate(args.root, metadata)) for metadata in known_tasks(args.family)]
    if args.json:
        print(json.dumps([_record(metadata, location) for metadata, location in rows], indent=1))
        return 0
    table = Table(title=f"{len(rows)} tasks" + (f" below {args.root}" if args.root else ""), title_justify="left")
    for column in ("task", "family"):
        table.add_column(column, no_wrap=True)
    for column in ("classes", "train", "val", "test"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("metric", "source"):
        table.add_column(column, no_wrap=True)
    table.add_column("found, or where it was looked for", overflow="fold")
    for index, (task, location) in enumerate(rows):
        if index and task.family != rows[index - 1][0].family:
            table.add_section()
        sizes = (f"{size:,}" if size else "-" for size in task.sizes)
        table.add_row(task.name, task.family, str(task.num_classes), *sizes, task.metric, *_where(location, args.root))
    Console(width=None if Console().is_terminal else 180).print(table)
    found = sum(bool(location) for _, location in rows)
    hint = "" if args.root or found == len(rows) else "; give --root DIR, the folder of the data sets"
    show(f"{found} of {len(rows)} found{hint}. `mvlpt tasks download NAME --root DIR` gets one or says how.")
    return 0


def _where(location: Location, root: str) -> tuple[str, str]:
    """The source, and the folder or what was looked for, relative to the root."""
    if location.source == "embedded":
        return "embedded", "ships with the package"
    if location:
        missing = f" (lacks {', '.join(location.missing)})" if location.missing else ""
        return location.source, f"{location.path}{missing}"
    looked = ", ".join(dict.fromkeys(os.path.relpath(path, root) for path in location.looked)) if root else ""
    return "[dim]-[/dim]", f"[dim]not in {looked}[/dim]" if looked else ""


def _record(metadata: TaskMetadata, location: Location) -> dict[str, Any]:
    return {
        "name": metadata.name,
        "family": metadata.family,
        "classes": metadata.num_classes,
        "sizes": metadata.sizes._asdict(),
        "metric": metadata.metric,
        "multi_label": metadata.multi_label,
        "aliases": list(metadata.aliases),
        "source": location.source or None,
        "path": str(location.path) if location else None,
        "missing": list(location.missing),
        "looked": [str(path) for path in location.looked],
        "downloads": metadata.downloads,
        "how": metadata.how,
    }


def _check(args: argparse.Namespace) -> int:
    from mvlpt.data.sources import inspect_task

    metadata = _metadata(args.name)
    dataset = _build(args)
    splits, remarks = _splits(dataset)
    differs, lenient = "", ()
    if metadata is not None and getattr(dataset, "source", "") == "torchvision":
        differs, lenient = metadata.torchvision.differs, ("val",)  # no protocol of the benchmark reads the val split
        remarks += [metadata.torchvision.note] if metadata.torchvision.note else []
    with _bar(f"reading {dataset.name}") as progress:
        found = inspect_task(splits, dataset.num_classes, metadata, differs=differs, lenient=lenient, progress=progress)
    table = Table(title=f"{dataset.name}: {dataset.num_classes} classes, {dataset.metric}", title_justify="left")
    table.add_column("split")
    for column in ("images", "smallest class", "largest class", "empty classes"):
        table.add_column(column, justify="right")
    for split, balance in found.balance.items():
        if balance.images:
            numbers = (balance.images, balance.smallest, balance.largest, len(balance.empty))
            table.add_row(split, *(f"{number:,}" for number in numbers))
    show(table)
    console = Console(width=10_000, highlight=False)
    for kind, sentences in (("remark", [*remarks, *found.remarks]), ("problem", found.problems)):
        for sentence in sentences:
            console.print(f"{kind}: {sentence}", markup=False)
    count = len(found.problems)
    show(f"{count} problem{'s' * (count > 1)}" if count else "nothing is wrong")
    return 1 if count else 0


def _splits(dataset: Any) -> tuple[dict[str, list[Any]], list[str]]:
    """The splits to look at; one that is the test split once more (CoOp's ImageNet) is left out, with a remark."""
    splits = {"train": dataset.train_x or [], "val": dataset.val or [], "test": dataset.test or []}
    remarks = []
    paths = [item.impath for item in splits["test"]]
    for split in ("train", "val"):
        if paths and [item.impath for item in splits[split]] == paths:
            splits[split] = []
            remarks.append(f"{split}: it is the test split")
    return splits, remarks


def _show(args: argparse.Namespace) -> int:
    from mvlpt.report.contact_sheet import choose, contact_sheet

    for key in ("per_class", "classes", "side"):
        if getattr(args, key) < 1:
            raise ConfigError(f"--{key.replace('_', '-')} is {getattr(args, key)}, but must be at least 1")
    if Path(args.out).suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise ConfigError(f"--out is {args.out}; name a file that ends in .png (or .jpg, .webp)")
    dataset = _build(args)
    items = {"train": dataset.train_x, "val": dataset.val, "test": dataset.test}[args.split] or []
    if not items:
        raise ConfigError(f"'{dataset.name}' has no {args.split} images; give another --split")
    names = list(dataset.classnames)[: args.classes]
    rows = choose(items, len(names), args.per_class, task=dataset.name, seed=args.seed)
    first = f", the first {len(names)}" if len(names) < dataset.num_classes else ""
    title = f"{dataset.name}, {args.split}: {len(items):,} images, {dataset.num_classes} classes{first}"
    page = contact_sheet(rows, names, title=title, per_class=args.per_class, side=args.side)
    with atomic_write(args.out, "wb") as handle:
        page.save(handle, {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}.get(Path(args.out).suffix.lower(), "PNG"))
    show(f"{args.out}: {page.width} x {page.height} pixels, {sum(map(len, rows))} images of {len(names)} classes")
    return 0


def _download(args: argparse.Namespace) -> int:
    from mvlpt.data.sources import download_task

    metadata = task_metadata(args.name)
    if metadata.downloads and not args.root:
        raise ConfigError(f"--root is missing: the folder of the data sets, below which '{metadata.name}' goes")
    location = download_task(metadata, args.root)
    show(f"{metadata.name}: {location.path} ({location.source} layout)")
    if metadata.torchvision.differs:
        show(f"note: {metadata.torchvision.differs}; results are marked with the split 'torchvision'")
    return 0


def _metadata(name: str) -> TaskMetadata | None:
    """What is known of a task; ``None`` for a data set of the user's own."""
    try:
        return task_metadata(name)
    except UnknownNameError:
        return None


def _build(args: argparse.Namespace) -> Any:
    """The data set, with all its images."""
    from mvlpt.config import get_cfg_default
    from mvlpt.dassl import load_plugin
    from mvlpt.data import build_dataset
    from mvlpt.engine import load_entry_points, load_shipped

    load_shipped()
    load_entry_points()
    for file in args.plugin:
        load_plugin(file)
    cfg = get_cfg_default()
    cfg.DATASET.ROOT, cfg.DATASET.SOURCE, cfg.SEED = args.root, args.source, 0
    cfg.freeze()
    return build_dataset(cfg, args.name)


def _bar(what: str) -> Any:
    from mvlpt.runtime.progress import counting

    return counting(what)
