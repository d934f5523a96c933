#!/usr/bin/env python3
"""Draws the embedded model's training curve: held-out loss, and zero-shot accuracy on validation designers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COLOURS = {"plain": "#0b7285", "dark": "#343a40", "blueprint": "#7048e8"}


def draw(curve: list[dict], path: Path) -> None:
    """Draws the points of a curve into one small PNG.

    Args:
        curve: Entries of ``training_curve.json``.
        path: Picture to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    minutes = [point["minutes"] for point in curve]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3), dpi=100, layout="constrained")
    for look, colour in COLOURS.items():
        left.plot(minutes, [point[f"val_zero_shot_{look}"] for point in curve], color=colour, label=look, marker=".")
    left.set(
        xlabel="minutes", ylabel="zero-shot, %", title="validation designers, 20 candidate subjects", ylim=(0, None)
    )
    left.legend(frameon=False)
    right.plot(
        minutes, [point["held_out_loss"] for point in curve], color="#c92a2a", label="held-out pairs", marker="."
    )
    right.plot(minutes, [point["train_loss"] for point in curve], color="#adb5bd", label="training", marker=".")
    right.set(xlabel="minutes", ylabel="contrastive loss", title="pretraining pairs", ylim=(0, None))
    right.legend(frameon=False)
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python tools/embedded/plot_curve.py     draws docs/embedded_curve.png again",
    )
    default = REPOSITORY / "mvlpt" / "assets" / "model" / "training_curve.json"
    parser.add_argument("--curve", type=Path, default=default, help="training_curve.json")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "embedded_curve.png", help="picture to write")
    args = parser.parse_args()
    draw(json.loads(args.curve.read_text())["curve"], args.out)


if __name__ == "__main__":
    main()
