#!/usr/bin/env python3
"""Cuts the embedded few-shot tasks (subjects x looks) from pinned icon artwork."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from embedded import (
    candidates,
    corpus,
    duplicates,
    looks,
    notice,
    packages,
    prepare,
    selection,
    sheets,
    splits,
    writing,
)

REPOSITORY = Path(__file__).resolve().parents[2]
FORMAT_VERSION = 1
console = Console()


def pretraining_corpus(sets: dict[str, packages.IconSet], work: Path) -> corpus.Corpus:
    """The cleaned corpus the model was trained on, from the cache or drawn again."""
    path = work / prepare.CORPUS_NAME
    if not path.exists():
        first = prepare.draw_candidates(sets, candidates.load_subjects(), console=console)
        prepare.draw_corpus(sets, first, console=console)[0].save(path)
    return corpus.Corpus.load(path)


def select(
    sets: dict[str, packages.IconSet], clean: corpus.Corpus, split_of: dict[str, str]
) -> tuple[list[candidates.Candidate], selection.Tally]:
    """Candidates of the chosen subjects after audit, near-duplicates and minimum sizes."""
    drawn = prepare.draw_candidates(sets, candidates.load_chosen(), console=console)
    tally = selection.Tally(candidates=len(drawn))
    drawn = selection.audit(drawn, selection.load_rejected(), tally)
    drawn = selection.drop_near_duplicates(drawn, duplicates.signatures(clean.pixels[..., 3]), tally)
    drawn = selection.drop_small_classes(drawn, split_of, tally)
    tally.kept = len(drawn)
    return drawn, tally


def task_images(
    classes: dict[str, dict[str, list[candidates.Candidate]]], look: str, split_of: dict[str, str]
) -> list[writing.TaskImage]:
    """Renders one subject (class -> designer -> drawings) in one look."""
    images = []
    for class_name, designers in sorted(classes.items()):
        for designer, drawings in sorted(designers.items()):
            chosen = selection.share_for_look(drawings, looks.LOOKS.index(look))
            for number, drawing in enumerate(chosen, start=1):
                pixels = looks.render(drawing.alpha, look=look, name=drawing.key)
                images.append(writing.TaskImage(class_name, split_of[designer], designer, number, drawing.key, pixels))
    return images


def build(args: argparse.Namespace) -> None:
    """Builds every task, the manifest and the notice."""
    sets = prepare.read_sets(args.work, console=console)
    split_of = splits.load_split()
    drawn, tally = select(sets, pretraining_corpus(sets, args.work), split_of)
    tree = selection.by_class_and_designer(drawn)
    if args.sheets:
        for subject in track(sorted(tree), "contact sheets", console=console):
            sheets.write(args.sheets / f"{subject}.png", tree[subject])
    manifest = {
        "format_version": FORMAT_VERSION,
        "image_size": 48,
        "looks": {look: looks.describe(look) for look in looks.LOOKS},
        "designers": {split: sorted(d for d, s in split_of.items() if s == split) for split in splits.SPLITS},
        "pretraining_designers": sorted({s.package.designer for s in sets.values() if s.package.role == "pretraining"}),
        "thrown_out": asdict(tally),
        "tasks": {},
    }
    table = Table("task", "classes", "train", "val", "test", "KiB", title="embedded tasks")
    for subject in track(sorted(tree), "tasks", console=console):
        for look in looks.LOOKS:
            name = f"{subject}-{look}"
            entry = writing.write_task(args.out / name, task_images(tree[subject], look, split_of))
            manifest["tasks"][name] = {"subject": subject, "look": look, **entry}
            counts = [str(entry["images"][split]) for split in splits.SPLITS]
            table.add_row(name, str(len(entry["classes"])), *counts, str(entry["bytes"] // 1024))
    (args.out / "tasks.json").write_text(json.dumps(manifest, indent=1) + "\n")
    if args.notice:
        args.notice.write_text(notice.text(sets, {d.set_name: tree_subjects(drawn, d.set_name) for d in drawn}))
    console.print(table)
    console.print(f"{sum(t['bytes'] for t in manifest['tasks'].values()) / 2**20:.2f} MiB of images; {asdict(tally)}")


def tree_subjects(drawn: list[candidates.Candidate], set_name: str) -> list[str]:
    """Subjects that use a set."""
    return sorted({d.subject for d in drawn if d.set_name == set_name})


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""Needs npm for the first run (48 MB of pinned packages, kept in --work) and resvg_py (extra embedded).
Run twice, it writes the same bytes twice; docs/embedded.md says how drawings were chosen, rejected.json what the label
audit threw out.

examples:
  python tools/embedded/build_tasks.py                                       makes mvlpt/assets/tasks and NOTICE again
  python tools/embedded/build_tasks.py --out /tmp/tasks --notice ''          builds elsewhere, to compare
  python tools/embedded/build_tasks.py --out /tmp/tasks --sheets /tmp/sheets also draws contact sheets for an audit""",
    )
    parser.add_argument("--work", type=Path, default=REPOSITORY / "out" / "embedded", help="cache folder")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "mvlpt" / "assets" / "tasks", help="where tasks go")
    parser.add_argument("--notice", default=str(REPOSITORY / "NOTICE"), help="notice file to write; '' for none")
    parser.add_argument("--sheets", type=Path, help="also draw one contact sheet a subject into this folder")
    args = parser.parse_args(argv)
    args.notice = Path(args.notice) if args.notice else None
    return args


if __name__ == "__main__":
    build(parse())
