"""A plugin's repository: where its root is, which modules are its own, and what its ``train.py`` declares."""

from __future__ import annotations

import ast
import importlib.util
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mvlpt.dassl import clip
from mvlpt.dassl.names import dassl_modules
from mvlpt.dassl.scope import ImportScope
from mvlpt.errors import ConfigError
from mvlpt.randomness import derive_seed

log = logging.getLogger(__name__)

ROOMS = ("trainers", "datasets", "clip")  # packages that public repositories have beside their train.py
RESERVED = {"mvlpt", "dassl"}  # never a plugin's own
MAIN = "train.py"


class Repository:
    """A folder of Python code that registers trainers or data sets.

    Args:
        root: the folder that its code expects on ``sys.path``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        names = own_names(root)
        given = dict(dassl_modules())
        self.has_clip = "clip" in names
        if not self.has_clip and importlib.util.find_spec("clip") is None:
            given.update(clip.clip_modules())
            names.add("clip")
        self.scope = ImportScope(root, names | {"dassl"}, given, clip.supply_weights)

    def load(self, file: Path) -> ModuleType:
        """Imports a file of the repository as its own code would name it."""
        parts = file.resolve().relative_to(self.root).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if all(part.isidentifier() for part in parts) and parts[0] in self.scope.names:
            return self.scope.load(".".join(parts))
        return self.scope.load_file(f"plugin_{derive_seed(str(file.resolve())):x}", file)

    def main_modules(self) -> list[Path]:
        """The files that a whole repository registers its trainers and data sets with.

        They are those that ``train.py`` imports, or else all of ``trainers`` and ``datasets``.
        """
        main = self.root / MAIN
        if main.is_file():
            files = [file for name in imported_names(main) if (file := self._file_of(name)) is not None]
        else:
            files = [file for room in ROOMS[:2] for file in sorted((self.root / room).glob("*.py"))]
        return list(dict.fromkeys(files))

    def extend_cfg(self) -> Callable[[Any], None] | None:
        """The function ``extend_cfg`` of ``train.py``, taken out without running the rest of that file."""
        main = self.root / MAIN
        return function_of(main, "extend_cfg", self.scope) if main.is_file() else None

    def _file_of(self, module: str) -> Path | None:
        if not self.scope.owns(module) or module.partition(".")[0] in RESERVED:
            return None
        path = self.root.joinpath(*module.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
        return None


def repository_root(path: Path) -> Path:
    """The folder that the code of a file, or of a whole repository, expects on ``sys.path``.

    Raises:
        ConfigError: the folder holds no trainers.
    """
    path = path.resolve()
    if path.is_file():
        root = path.parent
        while (root / "__init__.py").is_file() and root != root.parent:
            root = root.parent
        return root.parent if root.name in ROOMS and _is_root(root.parent) else root
    if _is_root(path):
        return path
    inner = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and (folder / "trainers").is_dir()]
    if len(inner) == 1:
        return inner[0]
    raise ConfigError(f"The plugin folder {path} has neither a {MAIN} nor a folder trainers or datasets")


def _is_root(folder: Path) -> bool:
    return (folder / MAIN).is_file() or any((folder / room).is_dir() for room in ROOMS[:2])


def own_names(root: Path) -> set[str]:
    """The top-level modules and packages of a folder; a folder of Python files needs no ``__init__``."""
    names = {file.stem for file in root.glob("*.py") if file.stem.isidentifier() and file.stem != "__init__"}
    for folder in root.iterdir():
        if folder.is_dir() and folder.name.isidentifier() and any(folder.glob("*.py")):
            names.add(folder.name)
    return names - RESERVED - set(sys.stdlib_module_names)


def imported_names(file: Path) -> list[str]:
    """The modules that a file imports at its top level, in order; of ``from a import b`` both ``a`` and ``a.b``."""
    names: list[str] = []
    for node in _parsed(file).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def function_of(file: Path, name: str, scope: ImportScope) -> Callable[..., Any] | None:
    """A function of a file, with what it needs of the file's other functions and imports, but nothing else run.

    Imports of the repository's own modules and of packages that are not installed are left out.
    """
    tree = _parsed(file)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if name not in {function.name for function in functions}:
        return None
    space: dict[str, Any] = {"__name__": f"{file.stem}_options", "__file__": str(file)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            if any(scope.owns(module) and not module.startswith("dassl") for module in modules):
                continue
            try:
                with scope.active():
                    exec(compile(ast.Module([node], []), str(file), "exec"), space)
            except ImportError as error:
                log.debug("%s: %s", file, error)
    exec(compile(ast.Module(functions, []), str(file), "exec"), space)
    return space[name]


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    except (SyntaxError, ValueError, OSError) as error:
        raise ConfigError(f"Cannot read {file}: {error}") from error
