"""What a training step of each method costs, ours against its straightforward form; and a task of each feature method.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python benchmarks/methods.py      # minutes; all methods
    python benchmarks/methods.py --quick                                        # small batch, few classes, one round
    python benchmarks/methods.py --methods MaPLe,TipAdapter                     # some of them
    python benchmarks/methods.py --classes 500 --rounds 3 --out table.txt       # other sizes; keep the table

Methods in the towers (MaPLe, IVLP, PromptSRC, KgCoOp, ProGrad, DePT, CLIP-LoRA, LNTuning, both stages of 2SFS, R-AMT):
our trainer's step, from a batch of images to the update, and that of ``benchmarks/plain_methods.py`` or
``plain_weights.py``, which are written from the papers with open_clip's own modules. Both start from the same prompt
and the same random weights of ViT-B/32, and alternate in one run; the table has medians. Ratios are plain / ours, by
the clock and by processor time, which a busy machine disturbs less; above 1, ours is faster. Memory is the peak that a
step adds, in a process of its own. The loss of the first step must be the same. ``benchmarks/step_time.py`` measures
CoOp, VPT and UPT.

Methods on kept features (TipAdapter, TipAdapter-F, LP++, CLAP, TaskRes, CrossModalProbe, kNN): processor seconds of a
task of 16 images for each of 100 classes, with the settings of ``configs/trainers/NAME/vit_b16.yaml``, from kept
features of width 512 to the saved head; the least and the most of the rounds. The images are encoded beforehand, once
for all.

Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch  # noqa: E402 - after the threads' policy
from PIL import Image  # noqa: E402

import mvlpt.trainers  # noqa: E402, F401 - registers the trainers
from benchmarks.measuring import class_names, peak_bytes  # noqa: E402
from benchmarks.plain_methods import PLAIN, Plain  # noqa: E402
from benchmarks.plain_weights import PLAIN_WEIGHTS  # noqa: E402
from mvlpt.config import get_cfg_default  # noqa: E402
from mvlpt.data import DATASET_REGISTRY, DatasetBase, Datum  # noqa: E402
from mvlpt.engine import TRAINER_REGISTRY, build_trainer, shared_resources  # noqa: E402
from mvlpt.trainers import FeatureHeadTrainer  # noqa: E402

CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "trainers"
STEPS = {**PLAIN, **PLAIN_WEIGHTS}  # by trainer, and behind a colon the stage
CONTEXTS = {"ProGrad": 16, "DePT": 4}  # where the text is not "a photo of a NAME."
HEADS = ("TipAdapter", "TipAdapter-F", "LP++", "CLAP", "TaskRes", "CrossModalProbe", "kNN")
SHOTS = 16
CPU = torch.device("cpu")


@DATASET_REGISTRY.register(name="benchmark-classes")
class BenchmarkClasses(DatasetBase):
    """As many classes as the folder's file says, 16 times the same grey image for each."""

    def __init__(self, cfg: Any) -> None:
        root = Path(cfg.DATASET.ROOT)
        names = (root / "classes.txt").read_text().splitlines()
        images = [
            Datum(str(root / "grey.png"), label, classname=name)
            for label, name in enumerate(names)
            for _ in range(SHOTS)
        ]
        super().__init__(train_x=images, test=images[::SHOTS])


def write_task(folder: Path, classes: int) -> None:
    """The files that the data set reads; names are distinct."""
    names = list(dict.fromkeys(class_names(8 * classes)))[:classes]
    (folder / "classes.txt").write_text("\n".join(names) + "\n")
    Image.new("RGB", (32, 32), (128, 128, 128)).save(folder / "grey.png")


def trainer_of(name: str, args: argparse.Namespace, folder: Path, **options: object) -> Any:
    """Our trainer with the paper's settings, on ViT-B/32 with random weights."""
    cfg = get_cfg_default()
    cfg.merge_from_file(CONFIGS / name / "vit_b16.yaml")
    given = {
        "MODEL.BACKBONE.NAME": args.arch,
        "MODEL.BACKBONE.PRETRAINED": False,
        "DATASET.DATASET": "benchmark-classes",
        "DATASET.ROOT": str(folder),
        "DATASET.NUM_SHOTS": SHOTS,
        "DATALOADER.NUM_WORKERS": 0,
        "RUN.TENSORBOARD": False,
        "TEST.NO_TEST": True,
        "VERBOSE": False,
        "SEED": 1,
        "OUTPUT_DIR": str(folder / "run" / name),
        **{key.replace("__", "."): value for key, value in options.items()},
    }
    cfg.merge_from_list([word for pair in given.items() for word in pair])
    cfg.freeze()
    torch.manual_seed(0)
    return build_trainer(cfg)


def both_steps(name: str, args: argparse.Namespace, folder: Path) -> tuple[Callable, Callable]:
    """A training step of ours and one of the plain form, on the same images; each returns its loss."""
    fixed = {"OPTIM__NAME": "sgd", "OPTIM__WEIGHT_DECAY": 0.0, "OPTIM__MOMENTUM": 0.0, "OPTIM__WARMUP_EPOCH": -1}
    method, _, stage = name.partition(":")
    trainer = trainer_of(method, args, folder, **fixed)
    trainer.batch_idx, trainer.num_batches, trainer.epoch = 0, 2, 0
    if stage:
        trainer.epoch = trainer.first_epochs if stage == "classes" else 0
        trainer.before_epoch()
    trainer.set_model_mode("train")
    backbone, learner = trainer.backbone, trainer.model.prompt_learner
    names = [each for task in trainer.dm.tasks for each in task.classnames]
    template = "X " * CONTEXTS[method] + "{}." if method in CONTEXTS else "a photo of a {}."
    ids = backbone.tokenize([template.format(each) for each in names])
    untuned = trainer.class_texts().weights
    if not trainer.model.trains_text:
        trainer.model.text_features()  # once for all steps, as the plain form has them
    plain: Plain = STEPS[name](backbone.model, ids, dict(learner.named_parameters()), untuned, trainer.cfg.OPTIM.LR)
    images = torch.randn(args.batch, 3, *backbone.image_size, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(args.batch) % len(names)
    batch = {"img": images, "label": labels, "task": torch.zeros_like(labels)}
    return lambda: trainer.forward_backward(batch)["loss"], lambda: plain.step(images, labels)


def clocks(call: Callable) -> tuple[float, float]:
    """Seconds by the clock, and of processor time."""
    wall, own = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - own


def measure_steps(name: str, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Median seconds of a step of both sides, in turn, and the ratios."""
    ours, plain = both_steps(name, args, folder)
    losses = ours(), plain()
    if abs(losses[0] - losses[1]) > 1e-3 * abs(losses[1]):
        raise SystemExit(f"{name}: the losses differ, {losses[0]} (ours) and {losses[1]}")
    times: dict[str, list[tuple[float, float]]] = {"plain": [], "ours": []}
    for _ in range(args.rounds):
        times["plain"].append(clocks(plain))
        times["ours"].append(clocks(ours))
    (slow, slow_own), (fast, fast_own) = (
        [statistics.median(column) for column in zip(*times[side], strict=True)] for side in ("plain", "ours")
    )
    ratios = {"wall": round(slow / fast, 2), "processor": round(slow_own / fast_own, 2)}
    return {"plain": slow_own, "ours": fast_own, "ratios": ratios}


def measure_head(name: str, args: argparse.Namespace, folder: Path) -> list[float]:
    """Processor seconds of a task in each round, the least first; images are encoded beforehand."""
    return sorted(time_head(name, args, folder, f"{name}-{number}") for number in range(args.rounds))


def time_head(name: str, args: argparse.Namespace, folder: Path, run: str) -> float:
    """Processor seconds of a task, in a run of this name."""
    fixed = {"INPUT__TRANSFORMS": ["normalize"], "DATALOADER__TEST__BATCH_SIZE": 200}
    trainer = trainer_of(name, args, folder, **fixed, OUTPUT_DIR=str(folder / "run" / run))
    generator = torch.Generator().manual_seed(1)
    trainer.encode_images = lambda images: torch.nn.functional.normalize(
        torch.randn(len(images), trainer.backbone.embed_dim, generator=generator), dim=-1
    )
    trainer.keep_features()
    return clocks(trainer.train)[1]


def memory(name: str, args: argparse.Namespace) -> dict[str, int]:
    """Peak bytes that a step of each side adds, each in a process of its own, where it finds nothing to take over."""
    command = [sys.executable, __file__, "--methods", name, "--arch", args.arch, "--classes", str(args.classes)]
    command += ["--batch", str(args.batch), "--threads", str(args.threads), "--memory"]
    found, returned = {}, {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**18)}  # what is freed counts as free
    for side in ("plain", "ours"):
        done = subprocess.run([*command, side], capture_output=True, text=True, check=True, env=returned)
        found[side] = int(done.stdout.splitlines()[-1])
    return found


def print_memory(args: argparse.Namespace) -> None:
    """The peak of one side's first step."""
    with tempfile.TemporaryDirectory() as folder:
        write_task(Path(folder), args.classes)
        ours, plain = both_steps(args.methods[0], args, Path(folder))
        print(peak_bytes(ours if args.memory == "ours" else plain, CPU))


def run(args: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    """Measures; returns the lines that are printed, and the numbers."""
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    known = (*STEPS, *HEADS)
    chosen = args.methods or known
    stages = {name.partition(":")[0] for name in known}
    if unknown := [name for name in chosen if name not in stages and name not in known]:
        raise SystemExit(f"Unknown: {', '.join(unknown)}; choose from {', '.join(known)}")
    steps = [name for name in STEPS if name in chosen or name.partition(":")[0] in chosen]
    say(
        f"{args.arch}, random weights, batch {args.batch}, {args.classes} classes, fp32, cpu, "
        f"torch {torch.__version__}, threads {args.threads}, rounds {args.rounds}" + (", quick" if args.quick else "")
    )
    result: dict[str, Any] = {"quick": args.quick, "ratios": {}, "memory": {}, "seconds": {}}
    with tempfile.TemporaryDirectory() as folder, shared_resources():
        write_task(Path(folder), args.classes)
        _say_steps(steps, args, Path(folder), say, result)
        _say_heads([name for name in HEADS if name in chosen], args, Path(folder), say, result)
    return lines, result


def _say_steps(names: Sequence[str], args: argparse.Namespace, folder: Path, say: Callable, result: dict) -> None:
    if names:
        heads = [("plain s", 9), ("ours s", 9), ("ratio", 8), ("by clock", 10)]
        heads += [] if args.time_only else [("plain MiB", 11), ("ours MiB", 10)]
        say(f"{'training step':<16}" + "".join(f"{word:>{width}}" for word, width in heads))
    for name in names:
        found = measure_steps(name, args, folder)
        ratios = result["ratios"][name] = found["ratios"]
        line = (
            f"{name:<16}{found['plain']:>9.2f}{found['ours']:>9.2f}{ratios['processor']:>8.2f}{ratios['wall']:>10.2f}"
        )
        if not args.time_only:
            peak = {side: size / 2**20 for side, size in memory(name, args).items()}
            line += f"{peak['plain']:>11.0f}{peak['ours']:>10.0f}"
            result["memory"][name] = round(peak["plain"] / max(peak["ours"], 1), 2)
        say(line)


def _say_heads(names: Sequence[str], args: argparse.Namespace, folder: Path, say: Callable, result: dict) -> None:
    if names:
        say(f"{'feature method':<16}{'s a task':>9}{'at most':>9}   {args.classes} classes x {SHOTS} images")
    for name in names:
        if not issubclass(TRAINER_REGISTRY.get(name), FeatureHeadTrainer):
            raise SystemExit(f"{name} is no method on kept features")
        seconds = measure_head(name, args, folder)
        say(f"{name:<16}{seconds[0]:>9.2f}{seconds[-1]:>9.2f}")
        result["seconds"][name] = round(seconds[0], 2)


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", type=lambda words: words.split(","), help="only these, such as MaPLe,TipAdapter")
    parser.add_argument("--arch", default="ViT-B-32", help="of open_clip")
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--batch", type=int, default=32, help="images in a step")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument(
        "--quick", action="store_true", help="10 classes, batch 2, 1 round; three methods, unless named"
    )
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    parser.add_argument("--time-only", action="store_true", help="measure no memory")
    parser.add_argument("--memory", choices=("ours", "plain"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(args.threads)
    if args.quick:
        args.classes, args.batch, args.rounds = 10, 2, 1
        args.methods = args.methods or ["MaPLe", "TipAdapter-F", "kNN"]
    if args.memory:
        print_memory(args)
        return
    lines, result = run(args)
    if args.out:
        args.out.write_text("\n".join([*lines, "", json.dumps(result)]) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
