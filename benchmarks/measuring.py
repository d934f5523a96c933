"""What the benchmarks of training steps share: class names, clocks, peaks of memory, counts of operations."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from mvlpt.models import PromptedCLIP

WORDS = [
    *("cat", "dog", "red", "sports", "car", "airbus", "boeing", "leopard", "golden", "retriever", "forest", "annual"),
    *("crop", "land", "river", "highway", "industrial", "pasture", "residential", "sea", "lake", "abyssinian"),
    *("samoyed", "panda", "tulip", "rose", "pancake", "risotto", "sushi", "piano", "guitar", "stadium"),
]


def class_names(count: int) -> list[str]:
    """Names of one to three words."""
    rng = random.Random(0)
    return [" ".join(rng.choices(WORDS, k=rng.choice((1, 1, 2, 2, 3)))) for _ in range(count)]


def timed(call: Callable, device: torch.device) -> float:
    """Seconds of a call; a call that returns a number has timed itself."""
    synchronise(device)
    started = time.perf_counter()
    own = call()
    synchronise(device)
    return own if isinstance(own, float) else time.perf_counter() - started


def synchronise(device: torch.device) -> None:
    """Waits for the GPU, if it is one."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(call: Callable, device: torch.device) -> int:
    """Peak bytes that a call adds to the process (on a GPU: to the allocator)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from what is resident now
    before = resident_peak()
    call()
    return resident_peak() - before


def resident_peak() -> int:
    """Linux's high-water mark of this process in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def flops(call: Callable, model: PromptedCLIP) -> int:
    """Floating-point operations of the matrix products of a call, run without CUDA graphs, which would hide them."""
    from torch.utils.flop_counter import FlopCounterMode

    recorded = [tower.replays for tower in (model.text_tower, model.image_tower) if tower.replays is not None]
    for replays in recorded:
        replays.enabled = False
    with FlopCounterMode(display=False) as counter:
        call()
    for replays in recorded:
        replays.enabled = True
    return counter.get_total_flops()


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second of a large matrix product."""
    size = 8192 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device, dtype=dtype)
    times = [timed(lambda: a @ a, device) for _ in range(8)]
    return 2 * size**3 / statistics.median(times[2:])
