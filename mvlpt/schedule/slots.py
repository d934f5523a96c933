"""Slots, on each of which one job runs at a time, and which waiting job goes to which."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvlpt.errors import ScheduleError
from mvlpt.schedule.interpreter import python_code

MOST_SLOTS = 10_000
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # without one of these torch would find none
_ROUNDING = 1e-6  # MiB
_PRINT_MEMORIES = (
    "import json, torch;"
    "print(json.dumps([torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count())]))"
)


@dataclass(frozen=True)
class Slot:
    """Room for one job at a time.

    Several slots may be on one device: small jobs then share a GPU, as far as the sum of their memory estimates fits.

    Attributes:
        name: unique, such as ``gpu0.1`` or ``cpu0``.
        device: ``cpu`` or ``cuda:0``; what the slots of one device share.
        memory_mb: memory of the device, MiB, shared by its slots.
    """

    name: str
    device: str = "cpu"
    memory_mb: float = math.inf


def cpu_slots(count: int) -> list[Slot]:
    """``cpu0``, ``cpu1``, ...

    Raises:
        ScheduleError: more than memory should hold.
    """
    if count > MOST_SLOTS:
        raise ScheduleError(f"{count:,} jobs at once are too many; give at most {MOST_SLOTS:,} slots")
    return [Slot(f"cpu{index}") for index in range(count)]


def gpu_slots(memories: Sequence[float], share: int = 1) -> list[Slot]:
    """``share`` slots on each GPU, the first of each GPU first.

    Args:
        memories: MiB of each GPU.
        share: most jobs that run on one GPU at once.
    """
    names = [f"gpu{index}" for index in range(len(memories))]
    return [
        Slot(f"{name}.{part}" if share > 1 else name, f"cuda:{index}", memories[index])
        for part in range(share)
        for index, name in enumerate(names)
    ]


def local_slots(slots: int = 0, gpu_share: int = 1, device: str = "auto") -> list[Slot]:
    """What this machine offers: its GPUs, or the CPU cores that this process may use.

    Args:
        slots: their number at most (on CPUs: exactly); 0 takes all there are.
        gpu_share: most jobs that run on one GPU at once.
        device: ``cpu``, ``gpu``, or ``auto``, which takes GPUs where there are any.

    Raises:
        ScheduleError: GPUs are asked for and there is none.
    """
    memories = [] if device == "cpu" else gpu_memories()
    if device == "gpu" and not memories:
        raise ScheduleError("local: device=gpu, but torch sees no GPU on this machine; give device=cpu")
    if memories:
        found = gpu_slots(memories, gpu_share)
        return found[:slots] if slots else found
    return cpu_slots(slots or len(os.sched_getaffinity(0)))


def gpu_memories() -> list[float]:
    """MiB of each GPU that torch sees. A process of its own asks torch, which keeps memory on each GPU it queries."""
    if not any(Path(device).exists() for device in _GPU_DEVICES):
        return []
    done = subprocess.run(python_code(_PRINT_MEMORIES), capture_output=True, text=True, check=False)
    try:
        return [size / 2**20 for size in json.loads(done.stdout)]
    except ValueError:
        return []


def assign(
    ready: Sequence[tuple[str, float]], slots: Sequence[Slot], running: Mapping[str, float]
) -> list[tuple[str, Slot]]:
    """Which waiting jobs start now, and where.

    A job goes to the device that has most memory left of those with a free slot on which it fits. One that fits nowhere
    reserves the device with most memory left, so that smaller jobs after it cannot delay it for ever; on an empty
    device any job may try. Without an estimate a job counts as an equal share of its device.

    Args:
        ready: job and memory estimate (MiB, 0 if unknown), the most urgent first.
        slots: all there are.
        running: name of each taken slot to the estimate of the job there.

    Returns:
        Job and slot, in the order in which to start.
    """
    shares = Counter(slot.device for slot in slots)
    free: dict[str, list[Slot]] = {}
    left: dict[str, float] = {}
    jobs_on: Counter[str] = Counter()
    for slot in slots:
        left.setdefault(slot.device, slot.memory_mb)
        if slot.name in running:
            left[slot.device] -= _claim(running[slot.name], slot, shares)
            jobs_on[slot.device] += 1
        else:
            free.setdefault(slot.device, []).append(slot)
    chosen: list[tuple[str, Slot]] = []
    for job, memory in ready:
        open_devices = [device for device, slots_left in free.items() if slots_left]
        if not open_devices:
            break
        devices = sorted(open_devices, key=lambda device: -left[device])  # stable: ties go to the first device
        for device in devices:
            claim = _claim(memory, free[device][0], shares)
            if claim <= left[device] + _ROUNDING or not jobs_on[device]:
                slot = free[device].pop(0)
                left[device] -= claim
                jobs_on[device] += 1
                chosen.append((job, slot))
                break
        else:
            free[devices[0]] = []
    return chosen


def _claim(memory: float, slot: Slot, shares: Mapping[str, int]) -> float:
    """MiB that a job takes of a slot's device."""
    if math.isinf(slot.memory_mb):
        return 0.0
    return memory or slot.memory_mb / shares[slot.device]
