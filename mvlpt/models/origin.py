"""What a prompt or a linear probe was trained with, and whether it fits where it is loaded.

Weights fit by name and shape alone: seven class-specific contexts fit any seven classes. So a checkpoint records its
classes, backbone, label space and preprocessing, and every way of loading it compares them.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mvlpt.errors import CheckpointError
from mvlpt.io import clean_text, listed, short_repr
from mvlpt.models.towers.text_layout import clean_class_names

log = logging.getLogger(__name__)

HIDDEN_OPTIONS = {"class_token_position": "end", "legacy": False}


@dataclass(frozen=True)
class Origin:
    """What weights were trained with; empty where it is unknown.

    Attributes:
        class_names: all classes, in the order of the logits.
        class_bound: some of the weights belong to these classes, each to one, so that order and names must agree.
        tasks: names of the tasks.
        label_space: ``joint`` or ``per_task``.
        backbone: its name.
        pretrained: tag or file name of its weights.
        fingerprint: SHA-256 of its weights, in the precision of the run.
        precision: of the backbone.
        layout: options of the prompt that no shape shows, such as the position of the class name.
        preprocessing: size, interpolation, crop, mean and standard deviation of the images.
        sampling: rule, shots and seed by which the training images were drawn.
    """

    class_names: tuple[str, ...] = ()
    class_bound: bool = False
    tasks: tuple[str, ...] = ()
    label_space: str = ""
    backbone: str = ""
    pretrained: str = ""
    fingerprint: str = ""
    precision: str = ""
    layout: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """Plain containers, for a checkpoint or a JSON file."""
        record = asdict(self)
        return {**record, "class_names": list(self.class_names), "tasks": list(self.tasks)}

    @classmethod
    def from_record(cls, record: Any, source: str) -> Origin:
        """Reads what :meth:`as_record` made; entries of later versions are ignored.

        Raises:
            CheckpointError: it is damaged.
        """
        kinds = {"class_names": list, "tasks": list, "class_bound": bool}
        kinds |= dict.fromkeys(("layout", "preprocessing", "sampling"), Mapping)
        known = {}
        for name in (one.name for one in fields(cls)):
            value = record.get(name, {} if name == "layout" else None) if isinstance(record, Mapping) else None
            if not isinstance(value, kinds.get(name, str)):
                raise CheckpointError(f"{source} has a damaged record of its training: '{name}' is {value!r:.60}")
            known[name] = tuple(map(str, value)) if isinstance(value, list) else value
        check_preprocessing(known["preprocessing"], source)
        return cls(**known)


def check_preprocessing(record: Any, source: str) -> None:
    """Checks the entries of ``preprocessing`` that are there.

    Raises:
        CheckpointError: one has another type or range than images have.
    """
    if not isinstance(record, Mapping):
        raise CheckpointError(f"{source} has a damaged record of how images are prepared: {short_repr(record, 60)}")
    for name, value in record.items():
        if name == "size":
            sound = _are_numbers(value, 2, 1, 2**14) and all(isinstance(side, int) for side in value)
        elif name in ("mean", "std"):
            sound = _are_numbers(value, 3, 1e-6 if name == "std" else -1e6, 1e6)
        else:
            sound = isinstance(name, str) and isinstance(value, str | bool) and len(str(value)) < 200
        if not sound:
            shown = f"{short_repr(name, 40)} is {short_repr(value, 60)}"
            raise CheckpointError(f"{source} has a damaged record of how images are prepared: {shown}")


def _are_numbers(values: Any, count: int, least: float, most: float) -> bool:
    if not isinstance(values, list | tuple) or len(values) != count:
        return False
    return all(isinstance(one, int | float) and not isinstance(one, bool) and least <= one <= most for one in values)


@dataclass(frozen=True)
class Mismatch:
    """How the origin of weights differs from the place where they are loaded, in parts of sentences.

    Attributes:
        refused: differences that make the weights meaningless here.
        forcible: whether they can be loaded all the same.
        warned: differences that may be intended.
    """

    refused: tuple[str, ...] = ()
    forcible: bool = True
    warned: tuple[str, ...] = ()


def hidden_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those options of a prompt that change what it computes but no shape, so that other values load silently."""
    return {name: options.get(name, default) for name, default in HIDDEN_OPTIONS.items()}


def compare_origins(saved: Origin, own: Origin) -> Mismatch:
    """Compares what weights were trained with and where they are loaded; what either does not know is not compared."""
    refused, warned, forcible = [], [], True
    if saved.class_names and own.class_names and _names(saved) != _names(own):
        if saved.class_bound:
            refused.append(_other_classes(_names(saved), _names(own)))
            forcible = len(saved.class_names) == len(own.class_names)
        else:
            warned.append(_other_classes(_names(saved), _names(own)))
    if _other_weights(saved, own):
        text = f"was trained with backbone {_backbone(saved)}, not {_backbone(own)}"
        text += "" if _backbone(saved) != _backbone(own) else " of these weights"
        refused.append(text)
    several = len(saved.tasks) > 1 and len(own.tasks) > 1
    if several and saved.label_space and own.label_space and saved.label_space != own.label_space:
        warned.append(f"was trained in the label space {saved.label_space}, not {own.label_space}")
    for name in sorted(saved.layout.keys() & own.layout.keys()):
        if saved.layout[name] != own.layout[name]:
            warned.append(f"was trained with {name} {saved.layout[name]!r}, not {own.layout[name]!r}")
    for name in sorted(saved.preprocessing.keys() & own.preprocessing.keys()):
        before, now = _plain(saved.preprocessing[name]), _plain(own.preprocessing[name])
        if before != now:
            warned.append(f"was trained on images with {name} {before}, not {now}")
    return Mismatch(tuple(refused), forcible, tuple(warned))


def check_origin(saved: Origin, own: Origin, source: str, *, force: bool = False, quiet_classes: bool = False) -> None:
    """Refuses weights that mean nothing here, and warns of differences that may be intended.

    Args:
        saved: what the weights were trained with.
        own: where they are loaded.
        source: what holds them, for messages.
        force: load them all the same, with a warning.
        quiet_classes: do not warn where shared weights meet other classes, which is what tuning them further is for.

    Raises:
        CheckpointError: names both sides and how to insist.
    """
    found = compare_origins(saved, own)
    refused, warned = ([clean_text(text) for text in part] for part in (found.refused, found.warned))
    if refused and not (force and found.forcible):
        remedy = "; add --force to use it all the same" if found.forcible else ""
        raise CheckpointError(f"{source} {' and '.join(refused)}{remedy}")
    for text in refused:
        log.warning("%s %s; used all the same (--force)", source, text)
    for text in warned:
        classes = text.startswith("was trained on the classes")
        log.log(logging.INFO if classes and quiet_classes else logging.WARNING, "%s %s", source, text)


def _names(origin: Origin) -> list[str]:
    return [unicodedata.normalize("NFC", name) for name in clean_class_names(origin.class_names)]  # as the tokenizer


def _other_classes(before: Sequence[str], now: Sequence[str]) -> str:
    if sorted(before) == sorted(now):
        return f"was trained on the classes in another order: {listed(before)}, not {listed(now)}"
    return f"was trained on the classes {listed(before)}, not on {listed(now)}"


def _other_weights(saved: Origin, own: Origin) -> bool:
    if not saved.fingerprint or not own.fingerprint or saved.fingerprint == own.fingerprint:
        return False
    rounded = saved.precision != own.precision  # the same weights in another precision
    return not (rounded and (saved.backbone, saved.pretrained) == (own.backbone, own.pretrained))


def _backbone(origin: Origin) -> str:
    return f"{origin.backbone} ({origin.pretrained})" if origin.pretrained else origin.backbone


def _plain(value: Any) -> Any:
    return (
        [round(float(x), 4) if isinstance(x, float) else x for x in value] if isinstance(value, list | tuple) else value
    )
