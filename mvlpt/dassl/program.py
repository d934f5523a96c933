"""What the program of a repository, its ``train.py``, says of the options. Only what is asked for is run."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mvlpt.dassl.scope import ImportScope
from mvlpt.errors import ConfigError


class Program:
    """A Python file that is read, and of which functions are taken out without running the rest.

    Args:
        file: the program; one that is not there says nothing.
        scope: where its imports lead.
    """

    def __init__(self, file: Path, scope: ImportScope | None = None) -> None:
        self.file = file
        self._scope = scope
        self._tree = parsed(file) if file.is_file() else ast.Module([], [])

    def defines(self, name: str) -> bool:
        """Whether the file defines or imports a name at its top level."""
        return any(name in _names_defined(node) for node in self._tree.body)

    def extend_cfg(self) -> Callable[[Any], None] | None:
        """The function ``extend_cfg``, taken out with what it needs.

        Raises:
            ConfigError: something that the function needs fails.
        """
        return self._taken_out("extend_cfg")

    def _taken_out(self, name: str) -> Callable[..., Any] | None:
        """A function that the file defines or imports, with what it needs of the top level, but nothing else run."""
        space: dict[str, Any] = {"__name__": f"{self.file.stem}_options", "__file__": str(self.file)}
        importing = self._scope.import_module if self._scope is not None else __import__
        space["__builtins__"] = {**vars(builtins), "__import__": importing}
        for node in needed_statements(self._tree, name):
            try:
                exec(compile(ast.Module([node], []), str(self.file), "exec"), space)
            except (Exception, SystemExit) as error:
                raise ConfigError(
                    f"{self.file}, line {node.lineno}, which {name} needs, fails with {type(error).__name__}: {error}"
                ) from error
        return space.get(name)


def imported_names(file: Path) -> list[str]:
    """The modules that a file imports at its top level, in order; of ``from a import b`` both ``a`` and ``a.b``."""
    names: list[str] = []
    for node in parsed(file).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


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


def parsed(file: Path) -> ast.Module:
    """The syntax tree of a file.

    Raises:
        ConfigError: it cannot be read, or is no Python.
    """
    try:
        return ast.parse(file.read_bytes(), filename=str(file))  # bytes: a file may name its encoding
    except (SyntaxError, ValueError, OSError) as error:
        raise ConfigError(f"Cannot read {file}: {error}") from error
