#!/usr/bin/env python3
"""Prints the embedded model's zero-shot accuracy on the embedded tasks, per subject and look."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import open_clip
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from embedded import model, tasks

MODEL_FOLDER = Path(__file__).resolve().parents[2] / "mvlpt" / "assets" / "model"


def zero_shot(folder: Path, task_folder: Path, split: str, template: str) -> dict[str, dict[str, float]]:
    """Accuracy in percent: subject -> look -> value.

    Args:
        folder: Model folder, as open_clip's ``local-dir:`` takes it.
        task_folder: Folder of the tasks.
        split: ``train``, ``val`` or ``test``.
        template: Sentence with one ``{}``.
    """
    net = open_clip.create_model(f"local-dir:{folder}").eval()
    tokenize = model.tokenizer(folder / model.MERGES_NAME)
    result: dict[str, dict[str, float]] = {}
    for name, task in tasks.load_manifest(task_folder)["tasks"].items():
        image, label = tasks.load_split(task_folder / name, split)
        logits = model.zero_shot_logits(net, tokenize, image, task["classes"], template=template)
        hits = (logits.argmax(1) == label).float().mean().item()
        result.setdefault(task["subject"], {})[task["look"]] = 100 * hits
    return result


def means(result: dict[str, dict[str, float]]) -> dict[str, float]:
    """Mean over subjects of every look."""
    looks = next(iter(result.values()))
    return {look: sum(row[look] for row in result.values()) / len(result) for look in looks}


def markdown(result: dict[str, dict[str, float]], chance: dict[str, float]) -> str:
    """The table in Markdown."""
    looks = list(next(iter(result.values())))
    lines = ["| subject | chance | " + " | ".join(looks) + " |", "|---|---" + "|---" * len(looks) + "|"]
    for subject, row in result.items():
        values = " | ".join(f"{row[look]:.1f}" for look in looks)
        lines.append(f"| {subject} | {chance[subject]:.1f} | {values} |")
    average = means(result)
    mean_chance = sum(chance.values()) / len(chance)
    lines.append(f"| **mean** | {mean_chance:.1f} | " + " | ".join(f"**{average[look]:.1f}**" for look in looks) + " |")
    return "\n".join(lines)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""Choose settings on --split val; the test split is for the final numbers only.

examples:
  python tools/embedded/evaluate.py                               the test table of the model card
  python tools/embedded/evaluate.py --split val --template '{}'   bare names, validation designers
  python tools/embedded/evaluate.py --markdown                    the same table as Markdown""",
    )
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument("--template", default="a photo of a {}.", help="sentence with one {} (default: %(default)s)")
    parser.add_argument("--model", type=Path, default=MODEL_FOLDER, help="model folder")
    parser.add_argument("--tasks", type=Path, default=tasks.TASK_FOLDER, help="task folder")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    return parser.parse_args(argv)


def main() -> None:
    """Runs the program."""
    args = parse()
    torch.set_num_threads(args.threads)
    result = zero_shot(args.model, args.tasks, args.split, args.template)
    manifest = tasks.load_manifest(args.tasks)["tasks"]
    chance = {task["subject"]: 100 / len(task["classes"]) for task in manifest.values()}
    if args.json:
        report = {"split": args.split, "zero_shot": result, "mean": means(result)}
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    if args.markdown:
        print(markdown(result, chance))
        return
    looks = list(next(iter(result.values())))
    table = Table("subject", "chance", *looks, title=f"zero-shot accuracy (%), {args.split} split")
    for subject, row in result.items():
        table.add_row(subject, f"{chance[subject]:.1f}", *(f"{row[look]:.1f}" for look in looks))
    average = means(result)
    table.add_section()
    table.add_row("mean", "", *(f"{average[look]:.1f}" for look in looks))
    Console().print(table)


if __name__ == "__main__":
    main()
