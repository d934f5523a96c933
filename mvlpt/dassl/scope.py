"""Import scopes: names that mean other modules to the code of a plugin than to the rest of the process.

Public repositories call their packages ``trainers``, ``datasets``, ``clip``, ``utils``. Each repository gets a scope in
which these names are its own. A module loaded in the scope keeps it: an ``import`` in one of its functions, run much
later, still finds the repository's modules, while all other code never sees them.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_LOCK = threading.RLock()
_active: list[ImportScope | None] = [None]


class ImportScope:
    """A folder whose modules are known to its own code only.

    Args:
        root: the folder that its code expects on ``sys.path``.
        names: the top-level names that the scope owns.
        given: modules that stand under such names from the start.
        on_load: called with each module of the folder once it has run.
    """

    def __init__(
        self,
        root: Path,
        names: set[str],
        given: dict[str, ModuleType],
        on_load: Callable[[ModuleType], None] = lambda module: None,
    ) -> None:
        self.root = root
        self.on_load = on_load
        self.names = names
        self._modules: dict[str, ModuleType] = dict(given)
        self._outside: dict[str, ModuleType] = {}
        self._finder = _Finder(self)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Inside the block ``sys.modules`` and imports are the scope's."""
        with _switched_to(self):
            yield

    def load(self, name: str) -> ModuleType:
        """Imports a module of the scope."""
        with self.active():
            return importlib.import_module(name)

    def load_file(self, name: str, path: Path) -> ModuleType:
        """Runs a file as the module ``name``, which need not be a word that ``import`` accepts."""
        self.names.add(name)
        with self.active():
            if name in sys.modules:
                return sys.modules[name]
            spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, str(path), self))
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[name]
                raise
            return module

    def owns(self, name: str) -> bool:
        """Whether a dotted name begins with one of the scope's."""
        return name.partition(".")[0] in self.names

    def import_module(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> ModuleType:
        """What ``import`` statements call in the scope's code, in place of ``builtins.__import__``."""
        absolute = name if level == 0 else (globals or {}).get("__package__") or ""
        with _switched_to(self if self.owns(absolute) else None):
            return builtins.__import__(name, globals, locals, fromlist, level)

    def _enter(self) -> None:
        self._outside = self._taken()
        sys.modules.update(self._modules)
        sys.meta_path.insert(0, self._finder)

    def _leave(self) -> None:
        sys.meta_path.remove(self._finder)
        self._modules = self._taken()
        sys.modules.update(self._outside)

    def _taken(self) -> dict[str, ModuleType]:
        """Takes the modules under the scope's names out of ``sys.modules``."""
        found = {name: module for name, module in list(sys.modules.items()) if self.owns(name)}
        for name in found:
            del sys.modules[name]
        return found


@contextmanager
def _switched_to(scope: ImportScope | None) -> Iterator[None]:
    with _LOCK:
        before = _active[-1]
        if before is scope:
            yield
            return
        if before is not None:
            before._leave()
        if scope is not None:
            scope._enter()
        _active.append(scope)
        try:
            yield
        finally:
            _active.pop()
            if scope is not None:
                scope._leave()
            if before is not None:
                before._enter()


class _Finder:
    """Finds the scope's modules in its folder, before all other finders."""

    def __init__(self, scope: ImportScope) -> None:
        self._scope = scope

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if not self._scope.owns(fullname):
            return None
        places = [str(self._scope.root)] if path is None else path
        spec = importlib.machinery.PathFinder.find_spec(fullname, places)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(fullname, spec.origin, self._scope)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Gives a module the scope's ``__import__``, and leaves no compiled files in the repository."""

    def __init__(self, fullname: str, path: str, scope: ImportScope) -> None:
        super().__init__(fullname, path)
        self._scope = scope

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self._scope.import_module}
        super().exec_module(module)
        self._scope.on_load(module)

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:
        """Writes nothing."""
