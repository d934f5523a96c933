"""What the program of a repository, its ``train.py``, says of the options. Only what is asked for is run.

Three of its functions have the same names in every repository that grew out of CoOp: ``extend_cfg`` declares options,
``reset_cfg`` sets those that the command line's flags are for, and ``setup_cfg`` calls both, merges the files and the
rest of the line, and may then change options once more.
"""

from __future__ import annotations

import ast
import builtins
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mvlpt.dassl.scope import ImportScope
from mvlpt.errors import ConfigError

log = logging.getLogger(__name__)

LAST = "changes_after_the_command_line"
TYPES = {"int": int, "float": float, "str": str}


@dataclass(frozen=True)
class Flag:
    """A flag of a program's own, such as ``--device``.

    Attributes:
        name: as it is written.
        key: the option that it sets.
        default: the option's value without the flag.
        keywords: of ``add_argument``, which say how many words follow the flag.
    """

    name: str
    key: str
    default: Any
    keywords: dict[str, Any]


@dataclass(frozen=True)
class OptionsOfProgram:
    """What a program says of the options.

    Attributes:
        file: the program.
        extend_cfg: its function of that name.
        last_changes: what it does to the options once files and command line are merged, until it freezes them.
        flags: of its own.
    """

    file: Path
    extend_cfg: Callable[[Any], None] | None
    last_changes: Callable[[Any], None] | None
    flags: list[Flag]


class _Arguments(SimpleNamespace):
    """Stands in for the arguments of a command line that names none of them."""

    def __getattr__(self, name: str) -> None:
        return None


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

    def options(self) -> OptionsOfProgram:
        """What the program says of the options.

        Raises:
            ConfigError: something that ``extend_cfg`` needs fails.
        """
        return OptionsOfProgram(self.file, self._taken_out("extend_cfg"), self._last_changes(), self.flags())

    def _last_changes(self) -> Callable[[Any], None] | None:
        functions = (node for node in self._tree.body if isinstance(node, ast.FunctionDef))
        found = next(filter(None, map(_after_merges, functions)), None)
        try:
            changes = self._taken_out(LAST, found) if found is not None else None
        except ConfigError as error:
            log.warning("What setup_cfg does after the command line is left out: %s", error)
            changes = None
        return None if changes is None else lambda cfg: changes(cfg, _Arguments())

    def flags(self) -> list[Flag]:
        """The flags of its command line that ``reset_cfg`` sets an option from."""
        keys: dict[str, str] = {}
        for node in self._tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == "reset_cfg":
                keys = _options_from_arguments(node)
        found = []
        for call in _all(self._tree, ast.Call):
            flag = _flag(call, keys) if getattr(call.func, "attr", "") == "add_argument" else None
            found += [flag] if flag is not None else []
        return found

    def _taken_out(self, name: str, also: ast.stmt | None = None) -> Callable[..., Any] | None:
        """A function that the file defines or imports, with what it needs of the top level, but nothing else run."""
        space: dict[str, Any] = {"__name__": f"{self.file.stem}_options", "__file__": str(self.file)}
        importing = self._scope.import_module if self._scope is not None else __import__
        space["__builtins__"] = {**vars(builtins), "__import__": importing}
        tree = ast.Module([*self._tree.body, *([also] if also is not None else [])], [])
        for node in needed_statements(tree, name):
            try:
                exec(compile(ast.Module([node], []), str(self.file), "exec"), space)
            except (Exception, SystemExit) as error:
                needs = name if name != LAST else "setup_cfg"
                raise ConfigError(
                    f"{self.file}, line {node.lineno}, which {needs} needs, fails with {type(error).__name__}: {error}"
                ) from error
        return space.get(name)


def _after_merges(function: ast.FunctionDef) -> ast.FunctionDef | None:
    """The statements of a function between the merge of its arguments' options and ``freeze()``; ``None`` without."""
    if not function.args.args:
        return None
    arguments = function.args.args[0].arg
    merges = [
        (place, call.func.value)
        for place, node in enumerate(function.body)
        for call in _all(node, ast.Call)
        if getattr(call.func, "attr", "") == "merge_from_list" and arguments in _names_in(call.args)
    ]
    if not merges or not isinstance(merges[-1][1], ast.Name):
        return None
    rest = function.body[merges[-1][0] + 1 :]
    ends = (place for place, node in enumerate(rest) if isinstance(node, ast.Return) or _freezes(node))
    body = rest[: next(ends, 0)]
    if not body:
        return None
    made = ast.parse(f"def {LAST}({merges[-1][1].id}, {arguments}): ...").body[0]
    made.body = body
    return ast.copy_location(made, body[0])


def _names_in(nodes: Sequence[ast.AST]) -> set[str]:
    return {name.id for node in nodes for name in _all(node, ast.Name)}


def _freezes(node: ast.AST) -> bool:
    return any(getattr(call.func, "attr", "") == "freeze" for call in _all(node, ast.Call))


def _options_from_arguments(function: ast.FunctionDef) -> dict[str, str]:
    """The keys that ``cfg.A.B = args.name`` sets, by ``name``."""
    if len(function.args.args) < 2:
        return {}
    cfg, args = (one.arg for one in function.args.args[:2])
    found = {}
    for node in _all(function, ast.Assign):
        target, value = ast.unparse(node.targets[0]), ast.unparse(node.value)
        if target.startswith(f"{cfg}.") and value.startswith(f"{args}.") and value.count(".") == 1:
            found[value.partition(".")[2]] = target.partition(".")[2]
    return found


def _flag(call: ast.Call, keys: dict[str, str]) -> Flag | None:
    words = [one.value for one in call.args if isinstance(one, ast.Constant)]
    given = {one.arg: one.value for one in call.keywords if one.arg}
    keywords = {name: value.value for name, value in given.items() if isinstance(value, ast.Constant)}
    name = next((word for word in words if str(word).startswith("--")), "")
    key = keys.get(keywords.get("dest") or name.lstrip("-").replace("-", "_"), "")
    if not name or not key:
        return None
    switch = keywords.get("action") == "store_true"
    kind = bool if switch else TYPES.get(getattr(given.get("type"), "id", "str"), str)
    default = keywords.get("default")
    kept = {"nargs": keywords["nargs"]} if "nargs" in keywords else {}
    words_after = {"action": "store_const", "const": True} if switch else kept
    return Flag(name, key, kind() if default is None else default, words_after)


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
