"""The table of methods in docs/methods.md, from what was measured, what is computed, and a file of metadata.

    python benchmarks/methods_table.py           # writes the table between the two marks of the page
    python benchmarks/methods_table.py --check    # writes nothing; says whether the page is up to date

Scores and seconds are those of ``benchmarks/results/methods.csv`` (``benchmarks/methods_scores.py`` measures them),
words and the papers' numbers those of ``benchmarks/methods.yaml``. Numbers of trained parameters are counted on the
architecture of ViT-B/16 with the settings of ``configs/trainers/NAME/vit_b16.yaml``, for 100 classes of 16 images;
no weights are loaded. Every registered trainer needs an entry. ``--check`` ends with one JSON line.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import open_clip
import torch
import yaml

import mvlpt.trainers  # registers the trainers
from benchmarks.marked_tables import ROOT, head, line, with_table, write_or_check
from benchmarks.methods_scores import ALL_IMAGES, TABLE, read_table
from mvlpt.config import get_cfg_default
from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.models import Backbone
from mvlpt.models.heads import ClassTexts, options_of
from mvlpt.trainers import FeatureHeadTrainer, PromptTrainer

PAGE, METADATA = ROOT / "docs" / "methods.md", Path(__file__).with_name("methods.yaml")
CLASSES, SHOTS = 100, 16
Row = Mapping[str, Any]
COLUMNS = ("trainer", "trained", "parameters", "alone", "grouped", "s a task", "paper", "public code", "source")


def shipped_trainers() -> list[str]:
    """Names of the trainers that come with the package."""
    names = TRAINER_REGISTRY.registered_names()
    return sorted(name for name in names if TRAINER_REGISTRY.get(name).__module__.startswith("mvlpt."))


def without_entry(entries: Iterable[Row]) -> list[str]:
    """The trainers that no entry names."""
    named = {name for entry in entries for name in entry["trainers"]}
    return [name for name in shipped_trainers() if name not in named]


def empty_backbone() -> Backbone:
    """ViT-B/16 with memory but without values: enough to build what is trained, at no cost."""
    with torch.device("meta"):
        model = open_clip.CLIP(**open_clip.get_model_config("ViT-B-16"), quick_gelu=True)
    model = model.to_empty(device="cpu")
    model.attn_mask = torch.full((model.context_length, model.context_length), float("-inf")).triu_(1)
    return Backbone(model, open_clip.get_tokenizer("ViT-B-16"), name="ViT-B/16")


def trained_parameters(name: str, backbone: Backbone) -> int:
    """How many numbers a trainer trains with the paper's settings."""
    cfg = get_cfg_default()
    cfg.merge_from_file(ROOT / "configs" / "trainers" / name / "vit_b16.yaml")
    kind = TRAINER_REGISTRY.get(name)
    if issubclass(kind, PromptTrainer):
        method, options = kind.planned_prompt(cfg)
        trained, _ = method.build(backbone, [f"class {number}" for number in range(CLASSES)], options)
    elif issubclass(kind, FeatureHeadTrainer):
        features = torch.zeros(CLASSES, backbone.embed_dim)
        texts = ClassTexts(features, features, features, torch.arange(CLASSES))
        head = kind.head
        trained = head(texts, torch.tensor(100.0), CLASSES * SHOTS, options_of(head, cfg.TRAINER[head.section]))
    elif kind is mvlpt.trainers.LinearProbe:
        trained = torch.nn.Linear(backbone.embed_dim, CLASSES)
    else:
        return 0
    return sum(parameter.numel() for parameter in trained.parameters() if parameter.requires_grad)


def table(rows: Sequence[Row], entries: Sequence[Row], parameters: Mapping[str, int]) -> str:
    """The table in Markdown, under the sentences that say how it was measured.

    Args:
        rows: of the table of scores.
        entries: the metadata of the methods, in the order of the page.
        parameters: of each measured trainer.
    """
    lines = [_settings(rows), "", *head(COLUMNS)]
    most = max((len(_scores(rows, entry["trainers"][0], "alone")) for entry in entries), default=0)
    for entry in entries:
        name = entry["trainers"][0]
        mine = [row for row in rows if row["method"] == name and row["arm"] == "alone"]
        seconds = f"{min(row['seconds'] for row in mine):.1f}" if mine else "–"
        source = entry.get("source", "")
        cells = [
            ", ".join(f"`{one}`" for one in entry["trainers"]),
            entry["trained"],
            f"{parameters[name]:,}",
            *(_score(_scores(rows, name, arm), most) for arm in ("alone", "grouped")),
            seconds,
            entry.get("paper", ""),
            entry.get("code", ""),
            f"[{source}](https://arxiv.org/abs/{source})" if source else "",
        ]
        lines.append(line(cells))
    return "\n".join(lines)


def _settings(rows: Sequence[Row]) -> str:
    if not rows:
        return "Not measured yet: `python benchmarks/methods_scores.py`."
    tasks, shots = ({row[key] for row in rows} for key in ("tasks", "shots"))
    seeds = sorted({row["seed"] for row in rows})
    [count], [images] = tasks, shots - {ALL_IMAGES}
    return (
        f"Scores: mean accuracy on {count} embedded tasks (validation designers), {images} image"
        f"{'s' * (images > 1)} a class, each trainer by its `embedded.yaml`"
        " (MVLPT-UPT: `embedded_joint.yaml`);\nmean ± standard deviation over seeds"
        f" {seeds[0]} to {seeds[-1]}, or the number of seeds in brackets where it is smaller; – not measured.\n"
        "`TFUP` takes all training images without their labels, `TPT` none.\n"
        "Grouped: shared within the groups of the default grouping. Seconds: processor time of a task alone, the least"
        " of the seeds.\n"
        f"Parameters: of ViT-B/16 with the paper's settings, for {CLASSES} classes of {SHOTS} images."
        " Paper: ViT-B/16, mean of 11 data sets, in percent; base to new is the harmonic mean."
    )


def _scores(rows: Iterable[Row], name: str, arm: str) -> list[float]:
    return [row["score"] for row in rows if (row["method"], row["arm"]) == (name, arm)]


def _score(scores: Sequence[float], most: int) -> str:
    if not scores:
        return "–"
    spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.1f}{spread}" + (f" ({len(scores)})" if len(scores) < most else "")


def current_page() -> str:
    """The page as the files say it should be.

    Raises:
        SystemExit: a trainer has no entry.
    """
    entries = read_entries()
    if missing := without_entry(entries):
        raise SystemExit(
            f"{METADATA.name} has no entry for {', '.join(missing)}; add one, then run {Path(__file__).name}"
        )
    backbone = empty_backbone()
    parameters = {entry["trainers"][0]: trained_parameters(entry["trainers"][0], backbone) for entry in entries}
    return with_table(
        PAGE.read_text(encoding="utf-8"), "table of methods", table(read_table(TABLE), entries, parameters)
    )


def read_entries() -> list[dict[str, Any]]:
    """The metadata of the methods."""
    return yaml.safe_load(METADATA.read_text(encoding="utf-8"))


def main() -> None:
    """Writes the page, or checks it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", "--quick", action="store_true", help="write nothing; say whether it is up to date")
    args = parser.parse_args()
    write_or_check({PAGE: current_page()}, args.check)


if __name__ == "__main__":
    main()
