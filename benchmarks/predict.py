"""`mvlpt predict` on 1,000 embedded images against plain loops: time of the CPU, images a second, and memory.

The plain loops open the files with Pillow, prepare them with open_clip's own transform and run the same model; one
takes an image at a time, one reads all images first and then runs batches. Every figure is from a process of its own:
the median of three passes, after one that warms up, and how much more memory the process holds at its peak for 1,000
images than for 100.

    python benchmarks/predict.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

WAYS = ("one at a time", "all at once, then batches", "mvlpt predict")
IMAGES, FEW = 1000, 100


def classify(way: str, run: str, paths: Sequence[str], out: str) -> None:
    """Writes the best class of every image."""
    if way == "mvlpt predict":
        from mvlpt.cli import main

        names = Path(out).with_suffix(".txt")
        names.write_text("\n".join(paths))
        with open(names) as sys.stdin:
            assert main(["predict", run, "-", "--top-k", "1", "--format", "csv", "--out", out, "--quiet"]) == 0
        return
    import open_clip
    import torch
    from PIL import Image

    import mvlpt

    classifier = mvlpt.load(run)
    model, visual = classifier.model, classifier.backbone.visual
    prepare = open_clip.image_transform(visual.image_size, False, mean=visual.image_mean, std=visual.image_std)
    labels: list[int] = []
    with torch.no_grad():
        if way == "one at a time":
            for path in paths:
                labels += model(prepare(Image.open(path))[None]).argmax(dim=1).tolist()
        else:
            images = torch.stack([prepare(Image.open(path)) for path in paths])
            for start in range(0, len(images), 64):
                labels += model(images[start : start + 64]).argmax(dim=1).tolist()
    Path(out).write_text("".join(f"{path},{label}\n" for path, label in zip(paths, labels, strict=True)))


def measured(way: str, run: str, folder: str, count: int, repeats: int) -> dict[str, float]:
    """Images a second and MiB at the peak, of this process."""
    files = sorted(str(path) for path in Path(folder).glob("*.webp"))
    paths = [files[number % len(files)] for number in range(count)]
    classify(way, run, paths[:64], f"{folder}/out.csv")
    seconds, work, before = [], [], _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    for _ in range(repeats):
        start, cpu = time.perf_counter(), time.process_time()
        classify(way, run, paths, f"{folder}/out.csv")
        seconds.append(time.perf_counter() - start)
        work.append(time.process_time() - cpu)
    return {"cpu": 1000 * min(work) / count, "rate": count / min(seconds), "added": _memory("VmHWM") - before}


def _memory(field: str) -> float:
    """MiB of this process, as Linux counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def in_a_process(way: str, run: str, folder: str, count: int, repeats: int) -> dict[str, float]:
    """:func:`measured` in a process of its own."""
    words = [sys.executable, __file__, "--measure", json.dumps([way, run, folder, count, repeats])]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100 images, one pass")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measured(*json.loads(args.measure))))
        return
    import mvlpt

    count, repeats = (FEW, 1) if args.quick else (IMAGES, 3)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(mvlpt.__file__).parent / "assets" / "tasks" / "weather-dark" / "images.zip"
        with zipfile.ZipFile(archive) as images:
            for name in images.namelist():
                (Path(folder) / name.replace("/", "_")).write_bytes(images.read(name))
        options = {"OPTIM.MAX_EPOCH": 1, "RUN.TENSORBOARD": False}
        run = mvlpt.train(
            "weather-dark", backbone="embedded", shots=1, options=options, output_dir=f"{folder}/run", verbose=False
        )
        print(f"{count} images, embedded model, {os.cpu_count()} CPU cores; CPU ms an image, images/s, MiB added")
        for way in WAYS:
            found = in_a_process(way, str(run.folder), folder, count, repeats)
            print(f"{way:<28}{found['cpu']:8.2f}{found['rate']:8.0f}{found['added']:8.0f}", flush=True)


if __name__ == "__main__":
    main()
