"""Attacks: hostile files, the command or reader that meets them, and what must come of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEMORY_MB = 1024  # beyond what the imported package takes
SECONDS = 20.0  # on a busy machine; the suite as a whole is far faster
LONGEST = 1500  # characters of the sentence
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Attack:
    """One hostile file.

    Attributes:
        name: of the test.
        make: writes the files into a folder and returns the words of the command, or ``@reader`` and a path.
        says: must be in the error sentence, or in the output where ``status`` is 0.
        status: the exit status.
        writes: path below the folder that the command may write to.
        starts_programs: the command starts jobs.
    """

    name: str
    make: Callable[[Path], Sequence[Any]]
    says: str = ""
    status: int | tuple[int, ...] = 2
    writes: str = "out"
    starts_programs: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of an attack."""

    status: int
    seconds: float
    grown_mb: int
    timed_out: bool
    actions: list[str]
    out: str
    err: str


class Server:
    """The process that forks a child for each attack."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "MALLOC_ARENA_MAX": "1",
            "COLUMNS": "200",
            "HF_HUB_OFFLINE": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.attack_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment,
        )  # fmt: skip
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError("the server of attacks did not start")

    def run(self, words: Sequence[Any], folder: Path, *, starts_programs: bool = False, **changes: Any) -> Outcome:
        """Runs a command or a reader in a folder."""
        asked = {
            "words": [os.fspath(word) if isinstance(word, Path) else str(word) for word in words],
            "cwd": str(folder), "sandbox": str(folder), "memory_mb": MEMORY_MB, "seconds": SECONDS,
            "starts_programs": starts_programs, **changes,
        }  # fmt: skip
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        out, err = ((folder / name).read_bytes().decode(errors="surrogateescape") for name in (".stdout", ".stderr"))
        return Outcome(**answer, out=out, err=err)

    def close(self) -> None:
        """Ends the server."""
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def listing(folder: Path, but: str) -> dict[str, tuple[int, int]]:
    """Sizes and times of all files below a folder, except what the command may write."""
    found = {}
    for here, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(here, name)
            relative = os.path.relpath(path, folder)
            if name not in (".stdout", ".stderr") and not (but and relative.startswith(but)):
                status = os.lstat(path)
                found[relative] = (status.st_size, status.st_mtime_ns)
    return found


def check(server: Server, attack: Attack, folder: Path) -> Outcome:
    """Runs an attack and asserts all that the product promises."""
    words = attack.make(folder)
    before = listing(folder, attack.writes)
    outcome = server.run(words, folder, starts_programs=attack.starts_programs)
    shown = f"{attack.name}: {outcome}"
    assert not outcome.timed_out, shown
    assert "Traceback" not in outcome.out + outcome.err, shown
    allowed = attack.status if isinstance(attack.status, tuple) else (attack.status,)
    assert outcome.status in allowed, shown
    assert outcome.grown_mb < MEMORY_MB, shown
    assert not outcome.actions, shown
    assert "CHANGED" not in outcome.out, shown
    assert listing(folder, attack.writes) == before, shown
    assert not _CONTROLS.search(outcome.out + outcome.err), shown
    assert outcome.out.encode(errors="replace") == outcome.out.encode(errors="surrogateescape"), shown
    assert attack.says in outcome.out + outcome.err, shown
    if outcome.status == 2:
        sentences = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
        assert len(sentences) == 1, shown
        assert len(sentences[0]) <= LONGEST, shown
        assert attack.says in sentences[0], shown
    return outcome
