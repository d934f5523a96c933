"""A plugin's repository: where its root is, which modules are its own, and which program stands beside them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from mvlpt.dassl import clip
from mvlpt.dassl.names import dassl_modules
from mvlpt.dassl.program import Program, imported_names
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

    def main_modules(self, main: Path) -> list[Path]:
        """The files that a whole repository registers its trainers and data sets with.

        They are those that its program ``main`` imports, or else all of ``trainers`` and ``datasets``.
        """
        if main.is_file():
            files = [file for name in imported_names(main) if (file := self._file_of(name)) is not None]
        else:
            files = [file for room in ROOMS[:2] for file in sorted((self.root / room).glob("*.py"))]
        return list(dict.fromkeys(files))

    def program_of(self, file: Path) -> Path:
        """The program that knows a file's options: ``train.py``, or where only another one imports the file, that."""
        main = self.root / MAIN
        if file.parent == self.root or not main.is_file() or file in self.main_modules(main):
            return main
        others = [other for other in sorted(self.root.glob("*.py")) if other != main and is_program(other)]
        return next((other for other in others if file in self.main_modules(other)), main)

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


def is_program(file: Path) -> bool:
    """Whether a file beside ``trainers`` or ``datasets`` is the program that trains: it has an ``extend_cfg``."""
    beside = any((file.parent / room).is_dir() for room in ROOMS[:2])
    return beside and file.suffix == ".py" and (file.name == MAIN or Program(file).defines("extend_cfg"))


def own_names(root: Path) -> set[str]:
    """The top-level modules and packages of a folder; a folder of Python files needs no ``__init__``."""
    names = {file.stem for file in root.glob("*.py") if file.stem.isidentifier() and file.stem != "__init__"}
    for folder in root.iterdir():
        if folder.is_dir() and folder.name.isidentifier() and any(folder.glob("*.py")):
            names.add(folder.name)
    return names - RESERVED - set(sys.stdlib_module_names)
