"""A plugin's repository: where its root is, which modules are its own, and what its ``train.py`` declares."""

from __future__ import annotations

import ast
import builtins
import importlib.util
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
        """The function ``extend_cfg`` of ``train.py``, taken out without running the rest of that file.

        Raises:
            ConfigError: that file cannot be read, or something that the function needs fails.
        """
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
    """A function that a file defines or imports, with what it needs of the file's top level, but nothing else run.

    Raises:
        ConfigError: the file cannot be read, or something that the function needs fails.
    """
    space: dict[str, Any] = {"__name__": f"{file.stem}_options", "__file__": str(file)}
    space["__builtins__"] = {**vars(builtins), "__import__": scope.import_module}
    for node in needed_statements(_parsed(file), name):
        try:
            exec(compile(ast.Module([node], []), str(file), "exec"), space)
        except (Exception, SystemExit) as error:
            raise ConfigError(
                f"{file}, line {node.lineno}, which {name} needs, fails with {type(error).__name__}: {error}"
            ) from error
    return space.get(name)


def needed_statements(tree: ast.Module, name: str) -> list[ast.stmt]:
    """The statements at the top level that define a name, and what these refer to, in order."""
    definitions: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        for defined in _names_defined(node):
            definitions.setdefault(defined, []).append(node)
    if name not in definitions:
        return []
    wildcards = definitions.pop("*", [])  # imports that may bring any name along
    needed, names = set(), {name}
    while names:
        wanted = names.pop()
        for node in definitions.pop(wanted, () if hasattr(builtins, wanted) else wildcards):
            needed.add(node)
            names |= _names_read(node)
    return [node for node in tree.body if node in needed]


def _names_defined(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top level sets, or changes a part of."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    names = _names_imported(statement)
    for node in _all(statement, ast.Name | ast.Attribute | ast.Subscript):
        if isinstance(node.ctx, ast.Store):
            while isinstance(node, ast.Attribute | ast.Subscript):
                node = node.value
            names |= {node.id} if isinstance(node, ast.Name) else set()
    return names


def _names_read(statement: ast.stmt) -> set[str]:
    """The names that a statement refers to, without the local ones of a function."""
    names = _all(statement, ast.Name)
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    if isinstance(statement, ast.FunctionDef):
        read -= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        read -= {node.arg for node in _all(statement, ast.arg)} | _names_imported(statement)
        for part in (statement.args, *statement.decorator_list):  # whose names are never local
            read |= {node.id for node in _all(part, ast.Name)}
    return read


def _names_imported(statement: ast.stmt) -> set[str]:
    return {alias.asname or alias.name.partition(".")[0] for alias in _all(statement, ast.alias)}


def _all(statement: ast.AST, kind: Any) -> list[Any]:
    return [node for node in ast.walk(statement) if isinstance(node, kind)]


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), filename=str(file))  # bytes: a file may name its encoding
    except (SyntaxError, ValueError, OSError) as error:
        raise ConfigError(f"Cannot read {file}: {error}") from error
