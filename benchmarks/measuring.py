"""What the benchmarks of training steps share: class names, clocks and peaks of memory."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import torch

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
