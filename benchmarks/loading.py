"""How fast a backbone is loaded from a file, against open_clip's own loading.

    OMP_NUM_THREADS=1 python benchmarks/loading.py
    python benchmarks/loading.py --quick

The files hold random weights, in the two forms that open_clip's are published in, and lie in the memory of the system
after the first pass, which does not count. *open_clip* is `create_model` with the file as its `pretrained`. *Ours*
is `load_backbone`, which also compares every name and shape and refuses values that are not finite. Both alternate;
medians of processor time, which depends less on what else the machine is doing. *Hash* is the SHA-256 of all weights
that prompts and kept features are compared by: it is computed once, when it is first asked for. Ends with one JSON
line of ratios, open_clip's time to ours."""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import open_clip
import torch
from safetensors.torch import save_file

from mvlpt.models import load_backbone

ARCHITECTURES = ("ViT-B-32", "ViT-B-16", "ViT-L-14")
FORMS = ("safetensors", "pt")


def write_weights(arch: str, folder: Path) -> None:
    """Random weights of an architecture in both forms."""
    state = open_clip.create_model(arch, pretrained=None).state_dict()
    save_file(state, str(folder / f"{arch}.safetensors"))
    torch.save(state, folder / f"{arch}.pt")


def cpu_seconds(call: Callable[[], Any]) -> float:
    """Processor time of a call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def measured(arch: str, path: Path, rounds: int) -> dict[str, float]:
    """Medians of seconds: open_clip's loading, ours, and the hash."""
    seconds: dict[str, list[float]] = {"open_clip": [], "ours": []}
    for _ in range(rounds + 1):
        seconds["open_clip"].append(cpu_seconds(lambda: open_clip.create_model(arch, pretrained=str(path))))
        seconds["ours"].append(cpu_seconds(lambda: load_backbone(arch, path)))
    backbone = load_backbone(arch, path)
    medians = {way: statistics.median(times[1:]) for way, times in seconds.items()}
    return {**medians, "hash": cpu_seconds(lambda: backbone.fingerprint)}


def main() -> None:
    """Prints the table and the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest model, one round")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often each side is timed (default 5)")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    print("model      file          open_clip   ours   ratio   hash     (s of processor time)")
    ratios = {}
    with tempfile.TemporaryDirectory() as folder:
        for arch in ARCHITECTURES[: 1 if args.quick else None]:
            write_weights(arch, Path(folder))
            for form in FORMS:
                found = measured(arch, Path(folder, f"{arch}.{form}"), 1 if args.quick else args.rounds)
                ratio = ratios[f"{arch} {form}"] = round(found["open_clip"] / found["ours"], 2)
                print(
                    f"{arch:10s} {form:12s} {found['open_clip']:10.2f} {found['ours']:6.2f} {ratio:7.1f}"
                    f" {found['hash']:6.2f}"
                )
    print(json.dumps({"ratios": ratios}))


if __name__ == "__main__":
    main()
