"""How fast training images are loaded: decoded in every epoch against kept from the first.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python benchmarks/data.py
    python benchmarks/data.py --quick

Few-shot sets of JPEGs, 500 x 375, made in a temporary folder. *Decoding in every epoch* is what Dassl does: PIL opens
the file, torchvision's pipeline runs on it, torch's DataLoader collates; once in this process and once with a worker a
core, and the faster of the two counts. *Ours* is the loader of a run, second and later epochs, likewise the faster of
the two: without workers, torch's threads share the work. *Ours, no cache* is the same with ``DATALOADER.CACHE_MB 0``.
All alternate epoch by epoch; medians. A test split too large for its cache is then walked, to see that memory does not
grow. *CPU* is the ratio of processor time an image, of the process and its workers: it does not depend on what else
the machine is doing. Ends with one JSON line."""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from mvlpt.config import get_cfg_default
from mvlpt.data import Datum, EpochLoader, build_data_loader, build_transform

ASKED = 5.0
WAYS = ("decoded", "no cache", "kept")
TRANSFORMS = {
    "coop": ("random_resized_crop", "random_flip", "normalize"),  # CoOp's training views
    "flip": ("random_flip", "normalize"),
    "fixed": ("normalize",),
}


class Decoded(Dataset):
    """Decodes and transforms an image whenever it is asked for."""

    def __init__(self, items: list[Datum], transform: Callable) -> None:
        self.items, self.transform = items, transform

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: int) -> dict:
        item = self.items[position]
        return {"img": self.transform(Image.open(item.impath).convert("RGB")), "label": item.label}


@dataclass
class Side:
    """One way to load: its name, an epoch, and the seconds of each, by the clock and of all processors."""

    name: str
    epoch: Callable[[], int]
    seconds: list[float]
    cpu: list[float]

    def run(self) -> None:
        """Times one epoch."""
        started, used = time.perf_counter(), cpu_seconds()
        self.epoch()
        self.seconds.append(time.perf_counter() - started)
        self.cpu.append(cpu_seconds() - used)


def cpu_seconds() -> float:
    """Processor time of this process and its workers so far."""
    ticks = 0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def write_photos(folder: Path, count: int) -> list[Datum]:
    """JPEGs of quality 90 with the detail of photographs, about 100 KB each (Oxford Pets: 107 KB)."""
    items = []
    for number in range(count):
        rng = np.random.default_rng(number)
        page = sum(
            np.asarray(
                Image.fromarray(rng.integers(0, 256, (375 // grain + 1, 500 // grain + 1, 3), dtype=np.uint8)).resize(
                    (500, 375), Image.Resampling.BICUBIC
                ),
                dtype=np.float32,
            )
            * weight
            for grain, weight in ((100, 0.4), (20, 0.18), (3, 0.14), (1, 0.28))
        )
        path = folder / f"{number}.jpg"
        Image.fromarray(page.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        items.append(Datum(str(path), number % 10))
    return items


def config(names: tuple[str, ...], workers: int, cache_mb: float):
    """A run's options."""
    cfg = get_cfg_default()
    cfg.merge_from_list(
        [
            *("INPUT.TRANSFORMS", names, "INPUT.INTERPOLATION", "bicubic", "SEED", 1, "USE_CUDA", False),
            *("DATALOADER.NUM_WORKERS", workers, "DATALOADER.CACHE_MB", cache_mb),
        ]
    )
    cfg.freeze()
    return cfg


def ours(items: list[Datum], names: tuple[str, ...], workers: int, cache_mb: float) -> EpochLoader:
    """The training loader of a run."""
    cfg = config(names, workers, cache_mb)
    return build_data_loader(
        cfg, "RandomSampler", items, batch_size=32, tfm=build_transform(cfg), is_train=True, purpose="train_x"
    )


def decoded(items: list[Datum], names: tuple[str, ...], workers: int) -> DataLoader:
    """What Dassl builds."""
    transform = build_transform(config(names, workers, 0))
    return DataLoader(Decoded(items, transform), 32, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def count_images(loader: EpochLoader | DataLoader) -> int:
    """Walks an epoch."""
    return sum(len(batch["label"]) for batch in loader)


def contest(items: list[Datum], names: tuple[str, ...], workers: int, rounds: int, cache_mb: float) -> list[Side]:
    """Every side, measured."""
    kept = [ours(items, names, count, cache_mb) for count in (0, workers)]
    read = [ours(items, names, count, 0) for count in (0, workers)]
    plain = [decoded(items, names, count) for count in (0, workers)]
    sides = [
        Side(f"{name}/{count}", lambda loader=loader: count_images(loader), [], [])
        for name, loaders in (("decoded", plain), ("no cache", read), ("kept", kept))
        for count, loader in zip((0, workers), loaders, strict=True)
    ]
    with closing(kept[1]), closing(read[1]):
        for side in sides:
            side.epoch()  # workers start, the cache fills
        for _ in range(rounds):
            for side in sides:
                side.run()
    return sides


def streamed_growth(items: list[Datum], repeats: int) -> float:
    """MiB by which resident memory grows between the first and the last tenth of a large test split."""
    many = items * repeats
    cfg = config(("normalize",), 0, 16)
    loader = build_data_loader(
        cfg, data_source=many, batch_size=32, tfm=build_transform(cfg, is_train=False), is_train=False, purpose="test"
    )
    marks = list(resident_after_each(loader))
    tenth = max(len(marks) // 10, 1)
    return statistics.median(marks[-tenth:]) - statistics.median(marks[tenth : 2 * tenth])


def resident_after_each(loader: EpochLoader) -> Iterator[float]:
    """MiB of this process after each batch."""
    for _ in loader:
        yield int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("--workers", type=int, default=2, help="as many as cores")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache-mb", type=float, default=512)
    parser.add_argument("--rows", default="", help="only these of coop, flip, fixed")
    parser.add_argument("--quick", action="store_true", help="few images, two rounds")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(args.workers)  # threads of this process; a worker process has one
    if args.quick:
        args.images, args.rounds = 96, 2
    result: dict = {"images": args.images, "workers": args.workers, "ratios": {}, "images_per_second": {}}
    print(f"{args.images} JPEGs of 500 x 375, batches of 32, {args.workers} workers, {args.rounds} rounds")
    print(
        f"{'views':<8}{'decoded 0/w':>16}{'no cache 0/w':>16}{'kept 0/w':>16}"
        f"{'kept/decoded':>13}{'asked':>7}{'CPU':>7}{'kept / no cache':>17}"
    )
    with tempfile.TemporaryDirectory() as folder:
        items = write_photos(Path(folder), args.images)
        for name in args.rows.split(",") if args.rows else TRANSFORMS:
            sides = contest(items, TRANSFORMS[name], args.workers, args.rounds, args.cache_mb)
            rates = {side.name: len(items) / statistics.median(side.seconds) for side in sides}
            best = {way: max(rates[f"{way}/0"], rates[f"{way}/{args.workers}"]) for way in WAYS}
            cost = {way: min(sum(side.cpu) for side in sides if side.name.startswith(way)) for way in WAYS}
            ratios = (best["kept"] / best["decoded"], cost["decoded"] / cost["kept"], best["kept"] / best["no cache"])
            pairs = [(rates[f"{way}/0"], rates[f"{way}/{args.workers}"]) for way in WAYS]
            cells = "".join(f"{one:>8.0f} / {many:<5.0f}" for one, many in pairs)
            print(f"{name:<8}{cells}{ratios[0]:>13.2f}{ASKED:>7}{ratios[1]:>7.2f}{ratios[2]:>17.2f}", flush=True)
            for key, ratio in zip((name, f"{name}_cpu", f"{name}_no_cache"), ratios, strict=True):
                result["ratios"][key] = round(ratio, 2)
            result["images_per_second"][name] = {side: round(rate) for side, rate in rates.items()}
        result["streaming_growth_mib"] = round(streamed_growth(items, 2 if args.quick else 6), 1)
    print(f"memory growth over a test split that is not kept: {result['streaming_growth_mib']} MiB")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
