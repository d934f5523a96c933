#!/usr/bin/env python3
"""Trains the embedded CLIP from scratch on the artwork of the pretraining designers."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from embedded import augment, corpus, fast_forward, looks, model
from embedded.pairs import Pairs
from embedded.prepare import CORPUS_NAME, prepare

REPOSITORY = Path(__file__).resolve().parents[2]
CURVE_NAME = "training_curve.json"
HELD_OUT_PAIRS = 384
console = Console()


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, apart from the data."""

    width: int = 160
    layers: int = 4
    text_width: int = 128
    text_layers: int = 2
    embed_dim: int = 128
    merges: int = 2558
    batch: int = 192
    lr: float = 1.4e-3
    weight_decay: float = 0.1
    warmup: float = 0.03
    ema: float = 0.999
    name_power: float = 0.6
    seed: int = 0

    def patch_dropout(self, progress: float) -> float:
        """Share of patches left out: half at first, none at the end."""
        return 0.5 if progress < 0.6 else 0.25 if progress < 0.85 else 0.0

    def learning_rate(self, progress: float) -> float:
        """Linear warm-up, then a half cosine to a hundredth."""
        if progress < self.warmup:
            return self.lr * max(progress / self.warmup, 0.01)
        along = min(1.0, (progress - self.warmup) / (1 - self.warmup))
        return self.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along)))


# -------------------------------------------------------------------------------------------------------- measuring


def _by_subject(validation: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray, list[str], torch.Tensor]]:
    for subject in sorted(set(validation["subject"].tolist())):
        rows = np.where(validation["subject"] == subject)[0]
        names = sorted(set(validation["class_name"][rows].tolist()))
        yield subject, rows, names, torch.tensor([names.index(n) for n in validation["class_name"][rows]])


@torch.no_grad()
def measure(net: nn.Module, tokenize, pairs: Pairs, validation: dict[str, np.ndarray]) -> dict[str, float]:
    """Held-out contrastive loss and zero-shot accuracy (%, mean over subjects) on validation designers, per look."""
    net.eval()
    rows = torch.from_numpy(pairs.held_out)
    image = model.normalise(augment.plain_view(pairs.pixels[rows]))
    names = [pairs.data.names[i] for i in pairs.data.label[pairs.held_out]]
    text = F.normalize(net.encode_text(tokenize([f"a photo of a {name}." for name in names])), dim=-1)
    scores = net.logit_scale.exp() * F.normalize(net.encode_image(image), dim=-1) @ text.T
    target = torch.arange(len(rows))
    result = {"held_out_loss": ((F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2).item()}
    for look in looks.LOOKS:
        shares = []
        for _, subject_rows, class_names, label in _by_subject(validation):
            rendered = [
                looks.render(validation["alpha"][i], look=look, name=str(validation["key"][i])) for i in subject_rows
            ]
            pixels = torch.from_numpy(np.stack(rendered)).permute(0, 3, 1, 2).float() / 255
            logits = model.zero_shot_logits(net, tokenize, pixels, class_names)
            shares.append((logits.argmax(1) == label).float().mean().item())
        result[f"val_zero_shot_{look}"] = 100 * float(np.mean(shares))
    net.train()
    return result


# --------------------------------------------------------------------------------------------------------- training


def optimiser_for(net: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW; no decay on vectors (biases, norms, class token, temperature)."""
    decayed = [p for p in net.parameters() if p.ndim >= 2]
    plain = [p for p in net.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), eps=1e-6)


def train_step(
    net: nn.Module,
    tokenize,
    pairs: Pairs,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    *,
    step: int,
    progress: float,
    bf16: bool,
) -> float:
    """One optimiser step; all its randomness comes from (seed, step), so a resumed run repeats it. Returns the loss."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    image, text = pairs.batch(recipe.batch, generator)
    tokens = tokenize(text)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        drop = recipe.patch_dropout(progress)
        x = fast_forward.encode_image(net.visual, model.normalise(image), drop=drop, generator=generator)
        y = fast_forward.encode_text(net, tokens)
    scores = net.logit_scale.exp() * F.normalize(x.float(), dim=-1) @ F.normalize(y.float(), dim=-1).T
    target = torch.arange(recipe.batch)
    loss = (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2
    for group in optimiser.param_groups:
        group["lr"] = recipe.learning_rate(progress)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()
    with torch.no_grad():
        net.logit_scale.clamp_(0, math.log(100))
    return loss.item()


def save_checkpoint(path: Path, state: dict) -> None:
    """Writes the run's whole state, replacing the previous file in one go."""
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(path)


def run(args: argparse.Namespace) -> None:
    """Trains until the step or time budget is spent; exports the averaged weights."""
    torch.set_num_threads(args.threads)
    recipe = Recipe(seed=args.seed)
    prepare(args.work, merges=recipe.merges, console=console)
    data = corpus.Corpus.load(args.work / CORPUS_NAME)
    pairs = Pairs(data, held_out=HELD_OUT_PAIRS, name_power=recipe.name_power, seed=recipe.seed)
    with np.load(args.work / "validation.npz") as drawn:
        validation = {name: drawn[name] for name in drawn.files}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / model.MERGES_NAME).write_bytes((args.work / model.MERGES_NAME).read_bytes())
    tokenize = model.tokenizer(args.out / model.MERGES_NAME)
    shape = {key: getattr(recipe, key) for key in ("width", "layers", "text_width", "text_layers", "embed_dim")}
    config = model.configuration(tokenize.vocab_size, **shape)

    torch.manual_seed(recipe.seed)
    net = model.build(config)
    average = {name: value.detach().clone() for name, value in net.state_dict().items()}
    optimiser = optimiser_for(net, recipe)
    step, elapsed, curve = 0, 0.0, []
    checkpoint = args.work / "checkpoint.pt"
    if args.resume:
        if not checkpoint.exists():
            raise SystemExit(f"--resume: there is no {checkpoint}; start without --resume.")
        state = torch.load(checkpoint, weights_only=True)
        if state["recipe"] != asdict(recipe):
            raise SystemExit(f"--resume: {checkpoint} was made by another recipe: {state['recipe']}.")
        net.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        average, step, elapsed, curve = state["average"], state["step"], state["elapsed"], state["curve"]

    reader = model.build(config)  # measures and exports the average without disturbing the training
    console.print(f"{sum(p.numel() for p in net.parameters()):,} parameters, {len(pairs.by_name):,} training pairs")
    net.train()
    began, last_save, last_measure = time.monotonic() - elapsed, elapsed, elapsed
    loss_sum, loss_n = 0.0, 0

    def progress_now() -> float:
        return min(1.0, elapsed / (args.minutes * 60) if args.minutes else step / args.steps)

    def save() -> None:
        parts = {"model": net.state_dict(), "average": average, "optimiser": optimiser.state_dict()}
        save_checkpoint(
            checkpoint, {**parts, "step": step, "elapsed": elapsed, "curve": curve, "recipe": asdict(recipe)}
        )

    def record() -> None:
        reader.load_state_dict(average)
        entry = {"step": step, "minutes": round(elapsed / 60, 2), "images": step * recipe.batch}
        entry |= {"lr": recipe.learning_rate(progress_now()), "train_loss": loss_sum / max(1, loss_n)}
        entry |= measure(reader, tokenize, pairs, validation)
        curve.append({key: round(value, 5) if isinstance(value, float) else value for key, value in entry.items()})
        console.print(curve[-1])
        model.export(args.out, config, average)
        summary = json.loads((args.work / "summary.json").read_text())
        report = {"recipe": asdict(recipe), "corpus": summary, "threads": args.threads, "curve": curve}
        (args.out / CURVE_NAME).write_text(json.dumps(report, indent=1) + "\n")

    while progress_now() < 1.0:
        loss = train_step(
            net, tokenize, pairs, optimiser, recipe, step=step, progress=progress_now(), bf16=not args.fp32
        )
        step += 1
        elapsed = time.monotonic() - began
        loss_sum, loss_n = loss_sum + loss, loss_n + 1
        decay = min(recipe.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in net.state_dict().items():
                average[name].lerp_(value, 1 - decay)
        if elapsed - last_measure >= 60 * args.measure_minutes:
            record()
            loss_sum, loss_n, last_measure = 0.0, 0, elapsed
        if elapsed - last_save >= 60 * args.save_minutes:
            save()
            last_save = elapsed
    record()
    save()


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""The first run downloads the pinned icon sets through npm (48 MB), draws and caches them in --work.

examples:
  python tools/embedded/pretrain.py --minutes 80 --threads 2      about what made the shipped weights
  python tools/embedded/pretrain.py --steps 12000                 the same schedule by steps: repeatable bit for bit
  python tools/embedded/pretrain.py --minutes 80 --resume         goes on from the last checkpoint in --work
  python tools/embedded/pretrain.py --steps 20 --out /tmp/model   a quick look that leaves the shipped weights alone""",
    )
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="time budget; the schedule follows the training clock")
    budget.add_argument("--steps", type=int, help="step budget; the schedule follows the steps")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "out" / "embedded", help="cache and checkpoints")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "mvlpt" / "assets" / "model", help="where weights go")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --work")
    parser.add_argument("--fp32", action="store_true", help="no bfloat16 (CPUs without bf16 instructions)")
    parser.add_argument("--measure-minutes", type=float, default=4.0, help="minutes between points of the curve")
    parser.add_argument("--save-minutes", type=float, default=2.0, help="minutes between checkpoints")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(parse())
