"""The house: imports point down only, rooms have doors, modules are small, and importing does nothing else."""

import ast
import importlib
import statistics
import subprocess
import sys

import networkx as nx
from support.imports import ROOT, exports, imports_of, is_package, modules, room, source

# From the top of the house to its foundation; a room may import only rooms that stand on a lower floor.
FLOORS = {
    "cli": 10,
    "report": 9,
    "experiment": 8,
    "inference": 8,
    "exports": 9,
    "api": 9,
    "library": 9,
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
    "randomness": 1,
    "lazy": 0,
    "errors": 0,
}
# Rooms that must not know each other, whatever their floors.
STRANGERS = {("models", "config"), ("schedule", "models"), ("schedule", "data"), ("schedule", "engine")}
MODULES = modules()


def names(found):
    return "\n".join(sorted(found))


def test_every_room_has_a_floor():
    assert {room(module) for module in MODULES} - {""} <= set(FLOORS)


def test_arrows_point_down():
    wrong = [
        f"{path.relative_to(ROOT)}:{one.line} imports {one.module}"
        for module, path in MODULES.items()
        for one in imports_of(path)
        if room(module) and room(one.module) not in ("", room(module))
        and (
            FLOORS[room(one.module)] >= FLOORS[room(module)]
            or (room(module), room(one.module)) in STRANGERS
        )
    ]  # fmt: skip
    assert not wrong, names(wrong)


def test_no_circles_between_files():
    graph = nx.DiGraph()
    for module, path in MODULES.items():
        for one in imports_of(path):
            target = source(one.module, one.name)
            if not one.for_types and target != module and not is_package(module):
                graph.add_edge(module, target)
    circles = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert not circles, circles


OUTSIDE = [path for folder in ("tools", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_rooms_are_entered_by_their_doors():
    """Other rooms import what a package exports, and nothing from the modules behind it."""
    users = [(room(module), path) for module, path in MODULES.items()] + [("", path) for path in OUTSIDE]
    wrong = []
    for here, path in users:
        for one in imports_of(path):
            there = room(one.module)
            if there in ("", here) or (one.module == f"mvlpt.{there}" and not is_package(one.module)):
                continue
            if not is_package(one.module) or (one.name and one.name not in exports(one.module)):
                wrong.append(f"{path.relative_to(ROOT)}:{one.line} imports {one.module} {one.name}")
    assert not wrong, names(wrong)


def test_exports_exist_and_no_module_hides_one():
    """A module of the same name would take an export's place as soon as something imports it."""
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            loaded = importlib.import_module(module)
            missing = [name for name in exports(module) if not hasattr(loaded, name)]
            assert not missing, f"{module} exports {missing}, which it does not have"
            hidden = [name for name in exports(module) if f"{module}.{name}" in MODULES]
            hidden = [name for name in hidden if exports(module)[name] != f"{module}.{name}"]
            lazily = "lazy_exports" in path.read_text(encoding="utf-8")
            assert not (hidden and lazily), f"{module} exports {hidden}, and has modules of the same names"


def test_modules_are_small():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES.values()}
    long = {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > 350}
    assert not long, long
    assert statistics.median(lengths.values()) <= 130


def test_no_two_test_modules_have_one_name():
    """pytest takes the name of a module for its identity and refuses the second."""
    paths = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        paths.setdefault(path.name, []).append(str(path.relative_to(ROOT)))
    assert not [found for found in paths.values() if len(found) > 1]


def test_models_and_graph_never_see_a_config():
    for module, path in MODULES.items():
        if room(module) in ("models", "graph"):
            assert "yacs" not in path.read_text(encoding="utf-8"), f"{path} uses yacs"


def _public(body):
    """Public functions and classes, and the methods of those classes that override no other."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            if "property" not in map(ast.unparse, node.decorator_list):  # the class says what its attributes are
                yield node
            if isinstance(node, ast.ClassDef) and not node.bases:
                yield from _public(node.body)


def test_public_definitions_say_what_they_are():
    missing = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in MODULES.values()
        for node in _public(ast.parse(path.read_text(encoding="utf-8")).body)
        if not ast.get_docstring(node)
    ]
    assert not missing, names(missing)


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
own = tuple(path + os.sep for package in (mvlpt, mvlpt.trainers, mvlpt.datasets) for path in package.__path__)
mine = [name for name in opened if name.startswith((*own, os.getcwd()))]
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


SCHEDULE_ALONE = """
import sys
import mvlpt.schedule, mvlpt.schedule.executors, mvlpt.schedule.worker
from mvlpt.schedule import *
heavy = {"torch", "torchvision", "open_clip", "ray", "submitit"} & set(sys.modules)
assert not heavy, heavy
"""


def test_the_scheduler_loads_no_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCHEDULE_ALONE], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
