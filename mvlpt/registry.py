"""Registries with Dassl's interface: names to classes, duplicates refused, wrong names answered with the nearest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mvlpt.errors import UnknownNameError, suggest

Listener = Callable[["Registry", str, Any], bool]
_listener: ContextVar[Listener | None] = ContextVar("mvlpt_registrations", default=None)


@contextmanager
def watched_registrations(listener: Listener) -> Iterator[None]:
    """Reports every registration inside the block.

    Args:
        listener: called with the registry, the name and the object; says whether a name that is taken may change hands.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class Registry:
    """Maps names to objects.

    Example::

        TRAINER_REGISTRY = Registry("trainer")

        @TRAINER_REGISTRY.register()
        class MyTrainer(TrainerX): ...

        TRAINER_REGISTRY.get("MyTrainer")

    Args:
        name: what the registry holds, in the singular; used in messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._entries: dict[str, Any] = {}
        self._families: list[tuple[Callable[[], Iterable[str]], Callable[[str], Any]]] = []

    def register(self, obj: Any = None, force: bool = False, *, name: str | None = None) -> Callable[[Any], Any] | None:
        """Registers ``obj``, or returns a decorator that does.

        Args:
            obj: a class or function; ``None`` when used as a decorator.
            force: replace an entry of the same name.
            name: the name to register under, by default ``obj.__name__``.

        Raises:
            KeyError: the name is taken and ``force`` is false.
        """
        if obj is None:
            return lambda decorated: (self._add(name or decorated.__name__, decorated, force), decorated)[1]
        self._add(name or obj.__name__, obj, force)
        return None

    def _add(self, name: str, obj: Any, force: bool) -> None:
        listener = _listener.get()
        if listener is not None and listener(self, name, obj):
            force = True
        if name in self._entries and not force and self._entries[name] is not obj:
            raise KeyError(
                f"A {self._name} named '{name}' is registered already; choose another name or pass force=True"
            )
        self._entries[name] = obj

    @property
    def kind(self) -> str:
        """What the registry holds, in the singular."""
        return self._name

    def register_family(self, names: Callable[[], Iterable[str]], build: Callable[[str], Any]) -> None:
        """Registers entries that a table describes; the table is read when a name is first asked for.

        Args:
            names: lists the family's names.
            build: makes the entry for one of these names.
        """
        self._families.append((names, build))

    def get(self, name: str) -> Any:
        """The object registered under ``name``.

        Raises:
            UnknownNameError: no such name; the message suggests the nearest.
        """
        if name in self._entries:
            return self._entries[name]
        for names, build in self._families:
            if name in set(names()):
                self._entries[name] = build(name)
                return self._entries[name]
        raise UnknownNameError(f"No {self._name} is named '{name}'{suggest(name, self.registered_names())}")

    def entries(self) -> dict[str, Any]:
        """Single entries by name, without the families, whose entries are made when they are asked for."""
        return dict(self._entries)

    def registered_names(self) -> list[str]:
        """All names: single entries in the order of registration, then those of the families."""
        listed = dict.fromkeys(self._entries)
        for names, _ in self._families:
            listed.update(dict.fromkeys(names()))
        return list(listed)

    def __contains__(self, name: str) -> bool:
        return name in self.registered_names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.registered_names())
