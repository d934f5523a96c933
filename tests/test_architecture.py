"""The house: imports point down only, and importing does nothing else."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# From the top of the house to its foundation; a room may import only rooms that stand on a lower floor.
FLOORS = {
    "tools": 11,
    "benchmarks": 11,
    "cli": 10,
    "report": 9,
    "experiment": 8,
    "trainers": 7,
    "datasets": 7,
    "dassl": 6,
    "schedule": 6,
    "graph": 6,
    "engine": 5,
    "models": 4,
    "data": 4,
    "config": 3,
    "runtime": 2,
    "io": 1,
    "metrics": 1,
    "arms": 1,
    "registry": 1,
    "lazy": 0,
    "randomness": 1,
    "errors": 0,
}
# Neighbours on one floor that do not know each other.
STRANGERS = {("models", "data"), ("data", "models"), ("models", "config")}


def room_of(path: Path) -> str | None:
    parts = path.relative_to(ROOT).parts
    if parts[0] in ("trainers", "datasets", "tools", "benchmarks"):
        return parts[0]
    name = parts[1] if len(parts) > 2 else path.stem
    return name if name in FLOORS else None


def imported_rooms(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    rooms = set()
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module] if node.module != "mvlpt" else [f"mvlpt.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "mvlpt" and len(parts) > 1 and parts[1] in FLOORS:
                rooms.add(parts[1])
    return rooms


SOURCES = sorted(
    path
    for folder in ("mvlpt", "trainers", "datasets", "tools", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)


def test_every_room_has_a_floor():
    rooms = {path.name for path in (ROOT / "mvlpt").iterdir() if path.is_dir() and list(path.glob("*.py"))}
    assert rooms <= set(FLOORS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_down(path):
    room = room_of(path)
    for other in imported_rooms(path) - {room}:
        if room is not None:
            assert FLOORS[other] <= FLOORS[room], f"{path} of {room} imports {other}, which stands above it"
            assert (room, other) not in STRANGERS, f"{path} of {room} must not know {other}"


def test_models_and_graph_never_see_a_config():
    for folder in ("models", "graph"):
        for path in (ROOT / "mvlpt" / folder).rglob("*.py"):
            assert "yacs" not in path.read_text(encoding="utf-8"), f"{path} uses yacs"


IMPORT_EVERYTHING = """
import builtins, io, importlib, os, pkgutil, random, socket, sys, warnings
import numpy, torch, torchvision, open_clip, yacs.config, scipy, PIL.Image  # the libraries' own effects come first
import rich.logging, rich.progress, safetensors.torch
before = (random.getstate(), torch.get_rng_state().sum().item(), torch.get_num_threads(), torch.get_default_dtype(),
          sys.stdout, sys.stderr, dict(os.environ), PIL.Image.MAX_IMAGE_PIXELS, warnings.filters[:],
          __import__("PIL.ImageFile").ImageFile.LOAD_TRUNCATED_IMAGES)
opened = []
real_open = io.open
def watched(file, *args, **kwargs):
    name = os.fspath(file) if not isinstance(file, int) else ""
    if not str(name).endswith((".py", ".pyc", "VERSION")):
        opened.append(str(name))
    return real_open(file, *args, **kwargs)
builtins.open = io.open = watched
def refuse(*args, **kwargs):
    raise RuntimeError("an import reached for the network")
socket.socket.connect = refuse
import mvlpt, mvlpt.trainers, mvlpt.datasets
for package in (mvlpt, mvlpt.trainers, mvlpt.datasets):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
after = (random.getstate(), torch.get_rng_state().sum().item(), torch.get_num_threads(), torch.get_default_dtype(),
         sys.stdout, sys.stderr, dict(os.environ), PIL.Image.MAX_IMAGE_PIXELS, warnings.filters[:],
         __import__("PIL.ImageFile").ImageFile.LOAD_TRUNCATED_IMAGES)
names = "random, torch rng, threads, dtype, stdout, stderr, environ, PIL limit, filters, PIL truncated".split(", ")
changed = [name for name, a, b in zip(names, before, after) if a != b]
mine = [name for name in opened if "/mvlpt/" in name or name.startswith(os.getcwd())]
assert not changed, changed
assert not mine, mine
"""


def test_importing_everything_reads_nothing_prints_nothing_and_changes_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
