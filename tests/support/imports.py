"""Who imports whom, read from the sources: modules, their rooms, and what packages export."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"mvlpt": "mvlpt", "trainers": "mvlpt.trainers", "datasets": "mvlpt.datasets"}


@dataclass(frozen=True)
class Import:
    """One imported name.

    Attributes:
        module: from which module; its full name.
        name: what is imported; empty for ``import module``.
        line: where.
        for_types: under ``if TYPE_CHECKING``, and so not at run time.
    """

    module: str
    name: str
    line: int
    for_types: bool


@cache
def modules() -> dict[str, Path]:
    """Full name to file, of all modules of the package; a package stands for its ``__init__``."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((package, *parts))] = path
    return found


def is_package(module: str) -> bool:
    """Whether a module is a package's ``__init__``."""
    return modules()[module].name == "__init__.py"


def room(module: str) -> str:
    """The room of a module: the first part of its name after ``mvlpt``."""
    return [*module.split("."), ""][1]


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    """What a file imports from the package, those imports included that stand inside functions."""
    found: list[Import] = []
    known = modules()

    def visit(node: ast.AST, for_types: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                visit(child, True)
            for child in node.orelse:
                visit(child, for_types)
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in known:
                    found.append(Import(alias.name, "", node.lineno, for_types))
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                entry = (full, "") if full in known else (node.module, alias.name)
                found.append(Import(*entry, node.lineno, for_types))
        for child in ast.iter_child_nodes(node):
            visit(child, for_types)

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return tuple(found)


@cache
def exports(package: str) -> dict[str, str]:
    """What a package exports by ``__all__``: name to the module that it comes from."""
    path = modules()[package]
    listed: list[str] = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            listed = ast.literal_eval(node.value)
    homes = {one.name: one.module for one in imports_of(path) if one.name}
    return {name: homes.get(name, package) for name in listed}


def source(module: str, name: str) -> str:
    """The module in which a name that is imported from ``module`` is defined, through packages that pass it on."""
    while name and is_package(module):
        home = exports(module).get(name, module)
        if home == module:
            break
        module = home
    return module
