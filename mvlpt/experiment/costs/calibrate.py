"""Speeds for the cost model: a short measured run of a prompted backbone.

``calibration.json`` in the experiment's folder keeps the measured speeds by device, backbone and image size.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from mvlpt.errors import RunFolderError
from mvlpt.experiment.costs.model import BACKWARD, CostModel, Rates
from mvlpt.experiment.costs.sizes import architecture, is_foreign
from mvlpt.io import read_json, write_json
from mvlpt.models.backbone import suppress_logging
from mvlpt.runtime import one_thread

FILE = "calibration.json"
FORMAT, VERSION = "mvlpt-calibration", 1
ROUNDS = 4  # of each measurement; the fastest counts, as others only add to it
LOOP = 0.002  # seconds of a step outside the model: the loader, the log, the progress bar
DEFAULTS = {
    "cpu": Rates(flops=8e10, step=0.006, batch=0.02, image=0.001, start=0.15, source="default of a CPU core"),
    "cuda": Rates(flops=2e13, step=0.03, batch=0.02, image=0.001, start=0.5, source="default of a GPU"),
}


def device_name() -> tuple[str, str]:
    """The kind of device that runs will use, ``cpu`` or ``cuda``, and its full name."""
    import platform

    import torch

    if torch.cuda.is_available():
        return "cuda", torch.cuda.get_device_name()
    return "cpu", f"cpu {platform.machine()}"


def cost_model(
    backbones: Iterable[tuple[str, int]],
    folder: Path | None = None,
    measure: bool = True,
    on_measure: Callable[[str], None] = lambda sentence: None,
) -> CostModel:
    """A cost model for the backbones of an experiment.

    Args:
        backbones: names and image sizes.
        folder: where ``calibration.json`` is read, and written when something was measured.
        measure: measure what the file does not hold; otherwise defaults take its place.
        on_measure: called with a sentence before a measurement.
    """
    kind, device = device_name()
    known = read_calibration(folder / FILE) if folder is not None else {}
    rates: dict[str, Rates] = {}
    for name, size in dict.fromkeys(backbones):
        key = f"{device}, {name}, {size} pixels"
        if key not in known and measure and not is_foreign(name):
            on_measure(f"measuring {name} on {device}")
            known[key] = measure_rates(name, size, kind)
            if folder is not None:
                write_calibration(known, folder / FILE)
        rates[name] = known.get(key, DEFAULTS[kind])
    return CostModel(rates)


def measure_rates(name: str, image_size: int, device: str) -> Rates:
    """Runs some steps of a visual prompt with random weights at two batch sizes; the line through both gives rate and
    overhead.

    Args:
        name: of a backbone.
        image_size: in pixels.
        device: ``cpu`` (one thread, as a job has) or ``cuda``.
    """
    with one_thread() if device == "cpu" else nullcontext():
        seconds, flops = _measure(name, image_size, device)
    small, large = seconds
    rate = (flops[1] - flops[0]) / max(large - small, 1e-6)
    default = DEFAULTS[device]
    overhead = min(max(small - flops[0] / rate, 0.0), 4 * default.step)  # more is the noise of a busy machine
    return dataclasses.replace(default, flops=rate, step=overhead + LOOP, batch=overhead + LOOP, source="measured")


def _measure(name: str, image_size: int, device: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Seconds and FLOPs of a step at a small and at a large batch."""
    import torch

    from mvlpt.models import build_prompted_clip, load_backbone

    with suppress_logging():  # that the weights are random is meant here
        backbone = load_backbone(name, "" if name == "embedded" else "random", device=device)
    shape, method = architecture(name, image_size), "vpt"
    if shape.image.conv_flops:
        method = "coop"
    model = build_prompted_clip(backbone, [f"class {number}" for number in range(8)], method, seed=0)
    optimizer = torch.optim.SGD(model.prompt_learner.parameters(), lr=0.0)
    tokens = shape.image.tokens + 16
    one = shape.image.flops(tokens) * (1 + (BACKWARD if method == "vpt" else 0))
    sizes = (2, 16) if device == "cpu" and one < 2e9 else (1, 3) if device == "cpu" else (8, 64)

    def step(images: Any) -> None:
        logits = model(images, task=torch.zeros(len(images), dtype=torch.int64, device=device))
        torch.nn.functional.cross_entropy(logits, torch.zeros_like(logits[:, 0], dtype=torch.int64)).backward()
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()

    seconds = []
    for size in sizes:
        action = partial(step, torch.randn(size, 3, image_size, image_size, device=device))
        action()
        clock = time.process_time if device == "cpu" else time.perf_counter  # others may want this core, too
        seconds.append(min(_timed(action, clock) for _ in range(ROUNDS)))
    return (seconds[0], seconds[1]), (sizes[0] * one, sizes[1] * one)


def _timed(action: Callable[[], None], clock: Callable[[], float]) -> float:
    started = clock()
    action()
    return clock() - started


def read_calibration(path: Path) -> dict[str, Rates]:
    """The speeds in a file; none where it is missing, broken or of another version: they are measured again."""
    try:
        content = read_json(path)
        if content["format"] != FORMAT or content["version"] != VERSION:
            return {}
        rates = {key: Rates(**rates) for key, rates in content["rates"].items()}
        sound = all(map(_is_sound, rates.values()))
    except (RunFolderError, KeyError, TypeError, AttributeError):
        return {}
    return rates if sound else {}


def _is_sound(rates: Rates) -> bool:
    *numbers, source = dataclasses.astuple(rates)
    known = isinstance(source, str) and all(isinstance(one, float) and 0 <= one < 1e30 for one in numbers)
    return known and rates.flops > 0


def write_calibration(rates: Mapping[str, Rates], path: Path) -> None:
    """Writes the speeds."""
    rows = {key: dataclasses.asdict(value) for key, value in rates.items()}
    write_json({"format": FORMAT, "version": VERSION, "rates": rows}, path)
