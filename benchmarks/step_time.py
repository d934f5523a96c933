"""How long a training step and an evaluation pass take, ours against the straightforward reference.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python benchmarks/step_time.py            # the table of the README
    python benchmarks/step_time.py --quick                                                # a minute, small sizes
    python benchmarks/step_time.py --device cuda --precision bf16 --arch ViT-B-16
    python benchmarks/step_time.py --device cuda --precision bf16 --arch ViT-B-16 --no-graphs    # what graphs save

Random weights. Both sides share one backbone's weights and one prompt and alternate in one run; medians; ratio is
reference / ours. An evaluation pass is taken as its number of batches x one batch, plus what is done once per pass.
With ``bf16`` the reference runs under autocast (upstream's way), ours on bf16 matrices. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch  # noqa: E402 - after the threads' policy
from torch.nn import functional as F  # noqa: E402

from benchmarks.measuring import class_names, flops, matmul_rate, peak_bytes, timed  # noqa: E402
from benchmarks.reference import ReferenceCLIP  # noqa: E402
from mvlpt.models import ComputeOptimisations, PromptedCLIP, build_prompted_clip, load_backbone  # noqa: E402

THRESHOLDS = {
    "coop": (3, 6),
    "coop_cached": (10, 9),
    "vpt": (1.7, 4),
    "upt": (2, 3.5),
    "eval_first": (1.3, 3.5),
    "eval_later": (15, 30),
}


@dataclass
class Setup:
    """What is measured on."""

    arch: str
    device: torch.device
    precision: str
    batch: int
    rounds: int
    eval_images: int
    eval_batch: int
    graphs: bool = True

    @property
    def warm_up(self) -> int:
        """Steps after which ours is as fast as it gets: on a GPU its passes are recorded meanwhile."""
        return 1 if self.device.type == "cpu" else 4

    @property
    def dtype(self) -> torch.dtype:
        """In which ours multiplies matrices."""
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.precision]

    def backbone(self, precision: str):
        """A backbone with the same random weights every time."""
        torch.manual_seed(0)
        return load_backbone(self.arch, None, precision=precision, device=self.device)

    def model(self, backbone, names: list[str], method: str, **options):
        """Ours, ready for training."""
        optimisations = ComputeOptimisations(replay=self.graphs)
        return build_prompted_clip(backbone, names, method, seed=1, optimisations=optimisations, **options).train()

    def autocast(self):
        """The reference's precision."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.dtype)


def main() -> None:
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="ViT-B-32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"))
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--classes", default="100,500")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", default="", help="only these rows, comma separated")
    parser.add_argument("--no-graphs", action="store_true", help="on a GPU, ours runs without CUDA graphs")
    parser.add_argument("--quick", action="store_true", help="few classes, small batch, one round")
    parser.add_argument("--out", default="", help="also write the table to this file")
    parser.add_argument("--memory-of", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(args.threads)
    classes = [int(count) for count in args.classes.split(",")]
    setup = Setup(
        args.arch, torch.device(args.device), args.precision, args.batch, args.rounds, 1000, 100, not args.no_graphs
    )
    if args.quick:
        setup.batch, setup.rounds, setup.eval_images, setup.eval_batch, classes = 4, 1, 16, 4, [20]
    if args.memory_of:
        print(json.dumps({"peak_bytes": measure_memory(setup, args.memory_of, classes[0])}))
        return
    lines, result = run(setup, classes, args)
    text = "\n".join(lines)
    if args.out:
        Path(args.out).write_text(f"{text}\n\n{json.dumps(result)}\n", encoding="utf-8")
    print(json.dumps(result))


def run(setup: Setup, classes: list[int], args: argparse.Namespace) -> tuple[list[str], dict]:
    """Measures all rows; returns the printed lines and the ratios."""
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    wanted = set(filter(None, args.rows.split(",")))
    say(
        f"{setup.arch}, batch {setup.batch}, {setup.precision}, {setup.device}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, {setup.rounds} rounds"
        + (", without CUDA graphs" if setup.device.type == "cuda" and not setup.graphs else "")
        + (", quick" if args.quick else "")
    )
    say(
        f"{'row':<20}{'classes':>8}{'reference s':>14}{'ours s':>10}{'ratio':>8}{'asked':>7}"
        f"{'images/s':>11}{'share':>7}"
    )
    result: dict = {"arch": setup.arch, "device": str(setup.device), "precision": setup.precision, "ratios": {}}
    rate = matmul_rate(setup.device, setup.dtype)
    for count in classes:
        for reference, rows in contests(setup, count, wanted):
            slow, times = alternate(reference, [row.ours for row in rows], setup)
            for row, fast in zip(rows, times, strict=True):
                asked = (
                    "" if args.quick or count not in (100, 500) else THRESHOLDS.get(row.name, ("", ""))[count == 500]
                )
                share = f"{flops(row.ours, row.model) / fast / rate:.0%}" if row.whole else ""
                say(
                    f"{row.name:<20}{count:>8}{slow:>14.3f}{fast:>10.3f}{slow / fast:>8.2f}{asked:>7}"
                    f"{row.images / fast:>11.1f}{share:>7}"
                )
                result["ratios"][f"{row.name}/{count}"] = round(slow / fast, 3)
    say(f"share: of the measured matrix-product rate, {rate / 1e9:.0f} Gflop/s")
    if not wanted or "memory" in wanted:
        result["memory"] = {}
        for count in classes:
            peak = {side: memory_in_process(args, side, count) for side in ("reference", "ours")}
            say(
                f"peak memory of a CoOp step, {count} classes: reference {peak['reference'] / 2**20:.0f} MiB, "
                f"ours {peak['ours'] / 2**20:.0f} MiB, ours / reference {peak['ours'] / peak['reference']:.2f}"
            )
            result["memory"][str(count)] = round(peak["ours"] / peak["reference"], 3)
    return lines, result


@dataclass
class Row:
    """Ours, as it stands in one line of the table: a call, its images, and whether it does all the work it counts."""

    name: str
    ours: Callable
    images: int
    model: PromptedCLIP
    whole: bool = True


def contests(setup: Setup, count: int, wanted: set[str]) -> Iterator[tuple[Callable, list[Row]]]:
    """Yields a call of the reference and the rows of ours that are held against it."""
    names = class_names(count)
    shared, own = setup.backbone("fp32"), setup.backbone(setup.precision)
    images = torch.randn(setup.batch, 3, *shared.image_size, device=setup.device)
    labels = torch.arange(setup.batch, device=setup.device) % count
    cases = {
        "coop": ("coop", {"n_ctx": 16}),
        "coop_middle": ("coop", {"n_ctx": 16, "class_token_position": "middle"}),
        "vpt": ("vpt", {"n_ctx": 16}),
        "upt": ("upt", {"n_ctx": 4}),
        "upt_middle": ("upt", {"n_ctx": 4, "class_token_position": "middle"}),
    }
    for name, (method, options) in cases.items():
        ours = setup.model(own, names, method, **options)
        reference = reference_of(shared, ours, names, options.get("class_token_position", "end"))
        slow = training_step(partial(reference, images), labels, ours, setup.autocast)
        rows = [Row(name, training_step(partial(ours, images), labels, ours), setup.batch, ours)]
        if method == "coop":
            with torch.no_grad():
                kept = partial(ours.forward_features, ours.image_features(images))
            cached = name.replace("coop", "coop_cached")
            rows.append(Row(cached, training_step(kept, labels, ours), setup.batch, ours))
        rows = [row for row in rows if not wanted or row.name in wanted]
        if rows:
            yield slow, rows
        if name == "coop":
            slow, rows = evaluation(setup, ours, reference)
            rows = [row for row in rows if not wanted or row.name in wanted]
            if rows:
                yield slow, rows


def evaluation(setup: Setup, ours, reference) -> tuple[Callable, list[Row]]:
    """A pass over the images: for the first time, and with image features kept. The prompt changes between passes."""
    size, batches = setup.eval_batch, setup.eval_images // setup.eval_batch
    images = torch.randn(size, 3, *ours.backbone.image_size, device=setup.device)

    @torch.no_grad()
    def slow() -> float:
        with setup.autocast():
            return batches * timed(lambda: reference(images), setup.device)

    def text():
        ours.prompt_learner.ctx.data.mul_(1.0001)
        return ours.text_features()

    @torch.no_grad()
    def first() -> float:
        return timed(text, setup.device) + batches * timed(lambda: ours(images), setup.device)

    with torch.no_grad():
        kept = ours.image_features(images)

    @torch.no_grad()
    def later() -> None:
        features = text()
        for _ in range(batches):
            ours.logits(kept, features)

    rows = [Row("eval_first", first, setup.eval_images, ours, whole=False)]
    rows.append(Row("eval_later", later, setup.eval_images, ours))
    return slow, rows


def reference_of(backbone, prompted, names: list[str], position: str) -> ReferenceCLIP:
    """The reference on the very same prompt parameters."""
    parameters = dict(prompted.prompt_learner.named_parameters())
    return ReferenceCLIP(backbone.model, backbone.tokenizer, names, parameters, position=position)


def training_step(forward: Callable, labels, prompted, context: Callable = contextlib.nullcontext) -> Callable:
    """Forward and backward pass."""

    def step() -> None:
        prompted.prompt_learner.zero_grad()
        with context():
            loss = F.cross_entropy(forward().float(), labels)
        loss.backward()

    return step


def alternate(reference: Callable, ours: list[Callable], setup: Setup) -> tuple[float, list[float]]:
    """Median seconds of the reference and of each call of ours, in turn; ours more often, to warm up."""
    slow, fast = [], [[] for _ in ours]
    for call in ours * setup.warm_up:
        call()
    if setup.device.type == "cuda":
        reference()
    for _ in range(setup.rounds):
        slow.append(timed(reference, setup.device))
        for times, call in zip(fast, ours, strict=True):
            times.append(timed(call, setup.device))
    return statistics.median(slow), [statistics.median(times) for times in fast]


def measure_memory(setup: Setup, side: str, count: int) -> int:
    """Peak bytes that one CoOp step adds to the process (on a GPU: to the allocator)."""
    names = class_names(count)
    backbone = setup.backbone("fp32" if side == "reference" else setup.precision)
    ours = setup.model(backbone, names, "coop", n_ctx=16)
    reference = reference_of(backbone, ours, names, "end")
    images = torch.randn(setup.batch, 3, *backbone.image_size, device=setup.device)
    labels = torch.arange(setup.batch, device=setup.device) % count
    forward, context = (reference, setup.autocast) if side == "reference" else (ours, contextlib.nullcontext)
    step = training_step(lambda: forward(images), labels, ours, context)
    return peak_bytes(lambda: [step() for _ in range(setup.warm_up)], setup.device)


def memory_in_process(args: argparse.Namespace, side: str, count: int) -> int:
    """``measure_memory`` in a process of its own, whose peak is nobody else's."""
    command = [sys.executable, __file__, "--memory-of", side, "--classes", str(count), "--arch", args.arch]
    command += ["--device", args.device, "--precision", args.precision, "--threads", str(args.threads)]
    command += ["--batch", str(4 if args.quick else args.batch), *(["--no-graphs"] if args.no_graphs else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])["peak_bytes"]


if __name__ == "__main__":
    main()
