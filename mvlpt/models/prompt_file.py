"""``prompt.safetensors``: the tuned prompt and a JSON header that says what it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from torch import Tensor

from mvlpt.errors import CheckpointError, suggest
from mvlpt.io import check_head, json_text, listed, not_finite, open_tensors, parse_json, short_repr, write_file
from mvlpt.models.backbone.backbone import Backbone, fingerprint_state
from mvlpt.models.builder import build_prompted_clip
from mvlpt.models.origin import Origin, check_preprocessing, hidden_options
from mvlpt.models.prompted_clip import PromptedCLIP
from mvlpt.models.prompts import prompt_method
from mvlpt.models.state import load_prompt_state

FORMAT = 1
HEADER_KEY = "mvlpt"
MOST_CLASSES = 100_000
# Format 1 lists these options for every prompt, also where its method has none of them.
LISTED_OPTIONS = {
    "n_ctx": 0,
    "ctx_init": "",
    "class_token_position": "end",
    "csc": False,
    "vpt_n_ctx": 0,
    "vpt_deep": True,
    "vpt_dropout": 0.0,
    "vpt_project": -1,
    "project_method": "transformer",
    "project_dim": 128,
    "legacy": False,
    "label_space": "joint",
}


@dataclass(frozen=True)
class PromptFile:
    """A tuned prompt, read from its file.

    Attributes:
        tensors: the prompt learner's parameters by name.
        method: name of a registered prompt method, such as ``coop``.
        backbone: the backbone's name.
        pretrained: tag or file name of its weights.
        fingerprint: SHA-256 of its weights, ``""`` if unknown.
        tasks: the tasks it was trained on: name and class names.
        class_names: all classes, in the order of the logits.
        options: the arguments of ``build_prompted_clip`` that it was built with.
        sha256: of the tensors.
        extra: whatever else the writer added.
        source: what to call the file in messages.
    """

    tensors: dict[str, Tensor]
    method: str
    backbone: str
    pretrained: str
    fingerprint: str
    tasks: tuple[dict[str, Any], ...]
    class_names: tuple[str, ...]
    options: dict[str, Any]
    sha256: str
    extra: dict[str, Any] = field(default_factory=dict)
    source: str = "the prompt file"

    @property
    def origin(self) -> Origin:
        """What the prompt was trained with."""
        saved = {key: self.extra.get(key) for key in ("preprocessing", "sampling")}
        precision, space = self.extra.get("precision", ""), self.options.get("label_space", "")
        return Origin(
            class_names=tuple(str(name) for name in self.class_names),
            class_bound=self.extra.get("class_bound") is True or self._class_specific(),
            tasks=tuple(str(task.get("name", "")) for task in self.tasks if isinstance(task, dict)),
            label_space=space if isinstance(space, str) else "",
            backbone=self.backbone,
            pretrained=self.pretrained,
            fingerprint=self.fingerprint,
            precision=precision if isinstance(precision, str) else "",
            layout=hidden_options(self.options),
            **{key: value for key, value in saved.items() if isinstance(value, dict)},
        )

    def _class_specific(self) -> bool:
        """Whether it has contexts for each class, (K, P, D); the option alone does not say, since words replace it."""
        ctx = self.tensors.get("ctx")
        return ctx is not None and ctx.ndim == 3 and len(ctx) == len(self.class_names)

    def load_into(self, prompted: PromptedCLIP, *, source: str = "", force: bool = False) -> None:
        """Copies the prompt into a model.

        Args:
            prompted: the model.
            source: what to call the file in messages; by default its path.
            force: copy it even if it belongs to another backbone, or to other classes.

        Raises:
            CheckpointError: the prompt belongs to another method, backbone or, if class-specific, other classes.
        """
        source = source or self.source
        if self.method != prompted.options["method"]:
            raise CheckpointError(
                f"{source} holds a prompt of method '{self.method}', not '{prompted.options['method']}'"
            )
        if not force and self.fingerprint and self.fingerprint != prompted.backbone.fingerprint:
            raise CheckpointError(
                f"{source} was trained with backbone '{self.backbone}' ({self.pretrained or 'random weights'}); "
                f"the weights of '{prompted.backbone.name}' are not the same"
            )
        bound = prompted.layout.class_specific or self.origin.class_bound
        if not force and bound and self.class_names != prompted.class_names:
            raise CheckpointError(
                f"{source} holds class-specific contexts of other classes, or in another order:"
                f" {listed(self.class_names)}, not {listed(prompted.class_names)}"
            )
        load_prompt_state(prompted.prompt_learner, self.tensors, source=source)

    def build(
        self,
        backbone: Backbone,
        class_names: Sequence[str] | None = None,
        task: str | None = None,
        *,
        force: bool = False,
    ) -> PromptedCLIP:
        """A model that carries the prompt.

        Args:
            backbone: the backbone that it was trained with.
            class_names: other classes; the task's, or else the prompt's own by default. Without a task, other classes
                get the prompt that all tasks share, without private parts.
            force: see :meth:`load_into`.
            task: the task whose prompt is wanted; by default all, each with its own where there are private parts.

        Raises:
            CheckpointError: the header's options are damaged, the prompt does not fit, or there is no such task.
        """
        options = {**self._checked_options(), "label_space": "joint"}
        names = self.class_names
        if task is None and class_names is not None:
            options.pop("private_rank", None)
        elif task is not None or options.get("private_rank"):
            tasks = self._tasks(task)
            names = tuple(name for _, own in tasks for name in own)
            options |= {"task_names": [name for name, _ in tasks]}
            options |= {"task_ranges": _ranges([len(names) for _, names in tasks])} if len(tasks) > 1 else {}
        prompted = build_prompted_clip(backbone, names if class_names is None else class_names, **options)
        self.load_into(prompted, force=force)
        return prompted.eval()

    def _tasks(self, wanted: str | None) -> list[tuple[str, list[str]]]:
        """Names and class names of all tasks, or of one."""
        tasks = []
        for task in self.tasks:
            name, classes = (task.get("name"), task.get("class_names")) if isinstance(task, dict) else (None, None)
            if not isinstance(name, str) or not isinstance(classes, list) or not classes:
                raise CheckpointError(f"{self.source} has a damaged list of tasks: {short_repr(task, 60)}")
            tasks.append((name, [str(one) for one in classes]))
        if wanted is None:
            return tasks
        chosen = [task for task in tasks if task[0] == wanted]
        if not chosen:
            known = [name for name, _ in tasks]
            raise CheckpointError(
                f"The prompt in {self.source} was not trained on task '{wanted}'{suggest(wanted, known)}"
            )
        return chosen[:1]

    def _checked_options(self) -> dict[str, Any]:
        """The header's options, for ``build_prompted_clip``.

        Raises:
            CheckpointError: one is missing, unknown, of another type, or larger than the tensors allow.
        """
        method = prompt_method(self.method)
        own = asdict(method.make_options())
        kinds = {name: type(value) for name, value in {"method": "", **LISTED_OPTIONS, **own}.items()}
        kinds |= {"private_rank": int} if "private_rank" in self.options else {}
        longest = max((size for tensor in self.tensors.values() for size in tensor.shape), default=0)
        for name, kind in kinds.items():
            value = self.options.get(name)
            low, high = (-1, max(longest, 1024)) if kind is int else (-1e9, 1e9)
            fits = type(value) is kind or (kind is float and type(value) is int)
            if not fits or (kind in (int, float) and not low <= value <= high):
                raise CheckpointError(f"{self.source} has a damaged option '{name}': {short_repr(value, 60)}")
        unknown = set(self.options) - set(kinds)
        if unknown:
            raise CheckpointError(f"{self.source} has unknown options: {listed(sorted(unknown))}")
        names = {"method", "legacy", "label_space", "private_rank", *method.option_names()}
        return {name: value for name, value in self.options.items() if name in names}


def save_prompt(
    path: str | Path,
    prompted: PromptedCLIP,
    *,
    tasks: Sequence[Mapping[str, Any]] = (),
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the prompt, whole or not at all.

    Args:
        path: the file.
        prompted: the model whose prompt is saved.
        tasks: name and class names of each task; by default one nameless task per range of the label space.
        extra: further plain data for the header.

    Returns:
        The path.
    """
    from safetensors.torch import save

    path = Path(path)
    tensors = {key: value.detach().cpu().contiguous() for key, value in prompted.prompt_learner.state_dict().items()}
    ranges = prompted.label_space.ranges
    private = prompted.prompt_learner.private
    names = private.tasks if private is not None else [""] * len(ranges)
    described = [dict(task) for task in tasks] or [
        {"name": name, "class_names": list(prompted.class_names[start:stop])}
        for name, (start, stop) in zip(names, ranges, strict=True)
    ]
    header = {
        "format": FORMAT,
        "method": prompted.options["method"],
        "backbone": prompted.backbone.name,
        "pretrained": prompted.backbone.pretrained,
        "fingerprint": prompted.backbone.fingerprint,
        "tasks": described,
        "class_names": list(prompted.class_names),
        "options": {"method": prompted.options["method"], **LISTED_OPTIONS, **prompted.options},
        "sha256": hash_tensors(tensors),
        "extra": dict(extra or {}),
    }
    payload = save(tensors, metadata={HEADER_KEY: json_text(header)})
    write_file(path, payload)
    return path


def load_prompt(path: str | Path) -> PromptFile:
    """Reads a prompt file.

    Raises:
        CheckpointError: missing, not of this format, damaged, or with values that are not finite.
    """
    path = Path(path)
    with open_tensors(path, missing=f"There is no prompt file {path}") as file:
        metadata, tensors = file.metadata, file.tensors()
    header = _header(path, metadata)
    if header["sha256"] != hash_tensors(tensors):
        raise CheckpointError(f"{path} is damaged: its tensors do not have the hash in its header")
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise CheckpointError(f"{path} holds values of {tensor.dtype} in '{name}', not floating-point numbers")
    if broken := not_finite(tensors):
        raise CheckpointError(f"{path} holds values that are not finite in '{broken[0]}'")
    return PromptFile(
        tensors=tensors,
        method=header["method"],
        backbone=header["backbone"],
        pretrained=header["pretrained"],
        fingerprint=header["fingerprint"],
        tasks=tuple(header["tasks"]),
        class_names=tuple(header["class_names"]),
        options=header["options"],
        sha256=header["sha256"],
        extra=header["extra"],
        source=str(path),
    )


def _ranges(counts: Sequence[int]) -> list[tuple[int, int]]:
    """The (start, stop) of each task's classes, one task after the other."""
    stops = list(accumulate(counts))
    return list(zip([0, *stops[:-1]], stops, strict=True))


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes."""
    return hashlib.sha256(fingerprint_state(dict(tensors)).encode()).hexdigest()


def _header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if HEADER_KEY not in metadata:
        raise CheckpointError(f"{path} has no MVLPT header; it is not a prompt that this framework saved")
    remedy = "save the prompt again, or read it with the version that wrote it"
    header = parse_json(metadata[HEADER_KEY], f"The header of {path}", error=CheckpointError, remedy=remedy)
    check_head(header, path, "a prompt", format=FORMAT, error=CheckpointError, remedy=remedy)
    kinds = {
        "method": str, "backbone": str, "pretrained": str, "fingerprint": str, "tasks": list, "class_names": list,
        "options": dict, "sha256": str, "extra": dict,
    }  # fmt: skip
    wrong = [key for key, kind in kinds.items() if not isinstance(header.get(key), kind)]
    wrong += [] if wrong or _are_names(header["class_names"]) else ["class_names"]
    wrong += [] if wrong or all(map(_is_task, header["tasks"])) else ["tasks"]
    if wrong:
        raise CheckpointError(f"{path} has a damaged header: {', '.join(wrong)} missing or of the wrong kind")
    check_preprocessing(header["extra"].get("preprocessing", {}), str(path))
    return header


def _are_names(names: Any) -> bool:
    return isinstance(names, list) and 0 < len(names) <= MOST_CLASSES and all(isinstance(name, str) for name in names)


def _is_task(task: Any) -> bool:
    return isinstance(task, dict) and isinstance(task.get("name"), str) and _are_names(task.get("class_names"))
