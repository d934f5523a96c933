"""An executor and a clock that do nothing but what a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mvlpt.schedule.attempts import Attempt, AttemptResult, write_result
from mvlpt.schedule.slots import Slot, cpu_slots


class Clock:
    """Time that passes only when the executor waits.

    Attributes:
        now: monotonic seconds.
        offset: what the wall clock shows beyond them; changed by setting the clock.
    """

    def __init__(self) -> None:
        self.now, self.offset = 1_000_000.0, 0.0

    def __call__(self) -> float:
        return self.now + self.offset

    def timer(self) -> float:
        """Monotonic seconds."""
        return self.now


class FakeExecutor:
    """Each attempt ends at the next poll, with the status that a function gives; None lets it run on until stopped.

    Args:
        status: attempt to exit status.
        slots: their number, or the slots.
        clock: moved on by waiting.
    """

    name = "fake"

    def __init__(
        self,
        status: Callable[[Attempt], int | None] = lambda attempt: 0,
        slots: int | Sequence[Slot] = 1,
        clock: Clock | None = None,
    ) -> None:
        self.status, self.clock = status, clock or Clock()
        self._slots = cpu_slots(slots) if isinstance(slots, int) else list(slots)
        self.started: list[tuple[float, Attempt, str]] = []
        self.stops: list[tuple[str, bool]] = []
        self.adopted: list[tuple[str, str]] = []
        self.known: set[str] = set()  # handles that adopt finds running
        self.running: dict[tuple[str, int], Attempt] = {}
        self.closed = False
        self.on_wait: Callable[[], None] = lambda: None
        self.waits = 0

    def slots(self):
        return self._slots

    def start(self, attempt, slot):
        self.started.append((self.clock.now, attempt, slot.name))
        self.running[attempt.key] = attempt
        return f"{attempt.job.name}/{attempt.number}"

    def poll(self):
        ended = []
        for attempt in list(self.running.values()):
            status = self.status(attempt)
            if status is not None:
                ended.append(self.end(attempt, status))
        return ended

    def end(self, attempt, status, reason=""):
        del self.running[attempt.key]
        ended = AttemptResult(*attempt.key, status, 1.0, reason or f"status {status}" * (status != 0))
        write_result(attempt, ended)
        return ended

    def wait(self, timeout):
        self.clock.now += max(timeout, 0.001)
        self.waits += 1
        assert self.waits < 10_000, "the scheduler waits for ever"
        self.on_wait()

    def stop(self, attempt, *, now):
        self.stops.append((attempt.job.name, now))

    def adopt(self, attempt, handle):
        self.adopted.append((attempt.job.name, handle))
        if handle in self.known:
            self.running[attempt.key] = attempt
            return True
        return False

    def close(self):
        self.closed = True
