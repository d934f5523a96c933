"""Loading plugins: a Python file, a file of a public repository, or a whole repository."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import traceback
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mvlpt.dassl.names import provide_dassl_names
from mvlpt.dassl.options import add_flags, add_options, change_last
from mvlpt.dassl.program import Flag, OptionsOfProgram, Program
from mvlpt.dassl.repository import MAIN, Repository, is_program, repository_root
from mvlpt.data.datasets import DATASET_REGISTRY
from mvlpt.engine import TRAINER_REGISTRY, has_entry_points, load_entry_points, register_options
from mvlpt.errors import ConfigError, MvlptError
from mvlpt.registry import Registry, watched_registrations

log = logging.getLogger(__name__)

# What `pip install` calls a package that `import` calls otherwise.
DISTRIBUTIONS = {
    "cv2": "opencv-python",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "yaml": "PyYAML",
    "skimage": "scikit-image",
    "clip": "git+https://github.com/openai/CLIP.git",
    "open_clip": "open_clip_torch",
    "pkg_resources": "'setuptools<81'",
}
REGISTRATION = re.compile(r"^@(TRAINER|DATASET)_REGISTRY\.register\(.*\)\s*\n(?:class|def) (\w+)", re.MULTILINE)
_plugins: dict[Path, Plugin] = {}


class Plugin:
    """A repository that is loaded, and what it has registered.

    Args:
        root: its folder.
    """

    def __init__(self, root: Path) -> None:
        self.repository = Repository(root)
        self.registered: dict[tuple[int, str], tuple[Registry, str, Any]] = {}
        self.failures: dict[Path, MvlptError] = {}
        self._loaded: dict[Path, None] = {}
        self._file_of: dict[tuple[int, str], Path] = {}  # which of the files that were named has registered it
        self._current = root
        self._programs: dict[Path, OptionsOfProgram] = {}

    @property
    def trainers(self) -> set[str]:
        """Names of the trainers that it has registered."""
        return {name for registry, name, _ in self.registered.values() if registry is TRAINER_REGISTRY}

    def load(self, files: list[Path], main: Path, *, whole: bool) -> None:
        """Imports files; those of a whole repository that fail are reported, and the others serve.

        Args:
            files: to import.
            main: the program that knows their options.
            whole: the files are all that the program imports.

        Raises:
            ConfigError: a file fails, or of a whole repository every one, or what ``extend_cfg`` needs.
        """
        with self._registrations():
            for file in files:
                if file in self._loaded:
                    continue
                try:
                    self._current = self.repository.root if whole else file
                    self._import(file)
                    self._loaded[file] = None
                except ConfigError as error:
                    if not whole:
                        raise
                    self.failures[file] = error
                    log.warning("%s", error)
                    self._refuse_names_of(file, error)
            if main not in self._programs:
                self._programs[main] = Program(main, self.repository.scope).options()
        if whole and len(self.failures) == len(files):
            raise next(iter(self.failures.values()))

    def extend_cfg(self, cfg: Any, trainer: str) -> None:
        """Adds the options of ``extend_cfg``; its defaults count where the run's trainer is the plugin's."""
        for program in self._programs.values():
            try:
                if program.extend_cfg is not None:
                    add_options(cfg, program.extend_cfg, defaults=not trainer or trainer in self.trainers)
            except Exception as error:
                name = type(error).__name__
                raise ConfigError(f"extend_cfg of {program.file} fails with {name}: {error}") from error
            add_flags(cfg, program.flags)

    def finish_cfg(self, cfg: Any, given: Set[str]) -> None:
        """Lets the programs change the options of a run of one of their trainers, as they do before they freeze them.

        What somebody gave for the run stays, except that no images a class means all of them, as in Dassl.
        """
        if cfg.TRAINER.NAME not in self.trainers:
            return
        if cfg.DATASET.NUM_SHOTS == 0:
            cfg.DATASET.NUM_SHOTS = -1
        for program in self._programs.values():
            try:
                kept = change_last(cfg, program.last_changes, given) if program.last_changes is not None else []
            except Exception as error:
                log.warning("setup_cfg of %s fails, and changes nothing: %s", program.file, error)
                continue
            for one in kept:
                log.warning("%s would set %s; what is given for this run stays", program.file, one)

    def _refuse_names_of(self, file: Path, error: ConfigError) -> None:
        """Lets what a file would have registered fail with its error, so that nothing of that name runs instead."""

        def refuse(*_: Any, **__: Any) -> Any:
            raise error

        for word, name in REGISTRATION.findall(file.read_text(encoding="utf-8", errors="replace")):
            registry = {"TRAINER": TRAINER_REGISTRY, "DATASET": DATASET_REGISTRY}[word]
            if (id(registry), name) not in self.registered:
                registry.register(refuse, True, name=name)

    def _import(self, file: Path) -> None:
        try:
            self.repository.load(file)
        except MvlptError:
            raise
        except ModuleNotFoundError as error:
            if error.name and not self.repository.scope.owns(error.name):
                raise _missing_package(file, error.name) from error
            raise _failure(file, self.repository.root, error) from error
        except (Exception, SystemExit) as error:
            raise _failure(file, self.repository.root, error) from error

    @contextmanager
    def _registrations(self) -> Iterator[None]:
        """Lets the plugin take names that are in use, and says once which it took."""
        for registry, name, entry in self.registered.values():
            registry.register(entry, True, name=name)
        taken: dict[str, list[str]] = {}

        def listen(registry: Registry, name: str, entry: Any) -> bool:
            key = (id(registry), name)
            other = self._file_of.setdefault(key, self._current) != self._current
            foreign = other or (key not in self.registered and name in registry.registered_names())
            self._file_of[key] = self._current
            if other:
                self.registered[key] = (registry, name, entry)
            self.registered.setdefault(key, (registry, name, entry))
            if foreign:
                taken.setdefault(registry.kind, []).append(name)
            return foreign

        with watched_registrations(listen):
            yield
        for kind, names in taken.items():
            log.warning("The plugin %s takes over names of %ss: %s", self.repository.root, kind, ", ".join(names))


def load_plugin(path: str | Path) -> None:
    """Runs the code of a plugin, which registers trainers or data sets. It is trusted like any import.

    Its ``import dassl`` leads to this engine. The top-level modules beside it, such as ``trainers``, ``datasets`` and
    ``clip``, are its own: nobody else sees them, and they may be called as those of other plugins are. What has been
    loaded in this process is not run again.

    Args:
        path: a Python file; a folder with ``train.py`` or ``trainers`` and ``datasets``, of which everything that
            ``train.py`` imports is loaded; or that ``train.py`` itself, which means the same, or another program
            beside it that has an ``extend_cfg``.

    Raises:
        ConfigError: nothing is there, a file fails, or it needs a package that is not installed.
    """
    file = Path(path)
    if not os.path.exists(file):  # also where the name is too long for a file
        raise ConfigError(f"No plugin file at {file}")
    if not file.is_dir() and not (file.is_file() and file.suffix == ".py"):
        raise ConfigError(f"{file} is not a Python file; a plugin's name ends in .py")
    root = repository_root(file)
    whole = file.is_dir() or is_program(file.resolve())
    provide_dassl_names()
    from mvlpt.dassl.no_gpu import accept_gpu_calls  # torch is loaded for plugins only

    accept_gpu_calls()
    plugin = _plugins.get(root)
    if plugin is None:
        plugin = _plugins[root] = Plugin(root)
        register_options(str(root), plugin.extend_cfg, plugin.finish_cfg)
    files = [file.resolve()]
    main = plugin.repository.program_of(files[0]) if not whole else root / (MAIN if file.is_dir() else file.name)
    if whole:
        files = plugin.repository.main_modules(main)
    if not files:
        raise ConfigError(f"The plugin folder {root} holds no trainer and no data set")
    plugin.load(files, main, whole=whole)


def own_flags(path: str | Path) -> list[Flag]:
    """The flags of a plugin's own command line that set an option; nothing of the plugin is run.

    Args:
        path: as for :func:`load_plugin`, which reports what is wrong with it.
    """
    try:
        root = repository_root(Path(path))
        main = Path(path).resolve()
        return Program(main if is_program(main) else root / MAIN).flags()
    except (ConfigError, OSError):
        return []


def load_installed_plugins() -> None:
    """Imports what installed packages declare under the entry-point group ``mvlpt.plugins``.

    Where there is such a package, ``import dassl`` leads to this engine from here on.

    Raises:
        ConfigError: a package cannot be imported.
    """
    if has_entry_points():
        provide_dassl_names()
        load_entry_points()


def plugin_roots() -> list[Path]:
    """The folders of the plugins that are loaded, the last first."""
    return list(reversed(_plugins))


def _missing_package(file: Path, name: str) -> ConfigError:
    package = name.partition(".")[0]
    if package == "dassl" or importlib.util.find_spec(package) is not None:
        hint = "; it is a part of Dassl that mvlpt does not replace: pip install 'mvlpt[dassl]'" * (package == "dassl")
        return ConfigError(f"The plugin {file} imports {name}, which is not there{hint}")
    wanted = DISTRIBUTIONS.get(package, package)
    return ConfigError(f"The plugin {file} needs the package '{package}', which is not installed: pip install {wanted}")


def _failure(file: Path, root: Path, error: BaseException) -> ConfigError:
    """The error with the lines of the plugin's own code that led to it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(root)]
    lines = "".join(traceback.format_list(frames)).rstrip()
    where = f"\n{lines}" if lines else ""
    return ConfigError(f"The plugin {file} fails with {type(error).__name__}: {error}{where}")
