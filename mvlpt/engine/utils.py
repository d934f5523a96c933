"""Small helpers by Dassl's names, for trainers and data sets that import them from ``dassl.utils``."""

from __future__ import annotations

import difflib
import logging
import os
import platform
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from mvlpt import data, io
from mvlpt.engine.checkpoints import last_checkpoint, load_checkpoint, load_state_dict, save_checkpoint
from mvlpt.engine.layers import (
    adjust_learning_rate,
    init_network_weights,
    open_all_layers,
    open_specified_layers,
    set_bn_to_eval,
)
from mvlpt.engine.meters import AverageMeter, MetricMeter
from mvlpt.engine.seeding import set_random_seed
from mvlpt.errors import CheckpointError, DataError, MissingImageError, suggest
from mvlpt.io import clean_text, listed, strip_wrappers
from mvlpt.registry import Registry
from mvlpt.runtime import setup_logging

log = logging.getLogger(__name__)

__all__ = [
    "AverageMeter",
    "Logger",
    "MetricMeter",
    "Registry",
    "adjust_learning_rate",
    "check_availability",
    "check_isfile",
    "collect_env_info",
    "count_num_param",
    "download_url",
    "get_most_similar_str_to_a_from_b",
    "init_network_weights",
    "listdir_nohidden",
    "load_checkpoint",
    "load_pretrained_weights",
    "mkdir_if_missing",
    "open_all_layers",
    "open_specified_layers",
    "read_image",
    "read_json",
    "resume_from_checkpoint",
    "save_checkpoint",
    "set_bn_to_eval",
    "set_random_seed",
    "setup_logger",
    "tolist_if_not",
    "write_json",
]


def mkdir_if_missing(dirname: str | os.PathLike[str]) -> None:
    """Makes a folder and those above it."""
    Path(dirname).mkdir(parents=True, exist_ok=True)


def check_isfile(fpath: str | os.PathLike[str]) -> bool:
    """Whether there is a file."""
    return Path(fpath).is_file()


def listdir_nohidden(path: str | os.PathLike[str], sort: bool = False) -> list[str]:
    """Names in a folder, without hidden ones."""
    names = [name for name in os.listdir(path) if not name.startswith(".")]
    return sorted(names) if sort else names


def read_image(path: str) -> Image.Image:
    """An image in RGB; ``path`` may lead into an archive.

    Raises:
        MissingImageError: there is no such file.
        DataError: it cannot be read.
    """
    try:
        return data.read_image(path)
    except DataError as error:
        if isinstance(error.__context__, FileNotFoundError) or not os.path.exists(path):
            raise MissingImageError(str(error)) from error
        raise


def read_json(fpath: str | os.PathLike[str]) -> Any:
    """What a JSON file holds."""
    return io.read_json(fpath)


def write_json(obj: Any, fpath: str | os.PathLike[str]) -> None:
    """Writes a JSON file, and makes its folder."""
    mkdir_if_missing(Path(fpath).parent)
    io.write_json(obj, fpath)


def tolist_if_not(x: Any) -> list[Any]:
    """A list as it is, anything else as the only entry of one."""
    return x if isinstance(x, list) else [x]


def get_most_similar_str_to_a_from_b(a: str, b: Sequence[str]) -> str | None:
    """The entry of ``b`` that is most like ``a``; of equals the last."""
    ratios = [(difflib.SequenceMatcher(None, a, candidate).ratio(), index) for index, candidate in enumerate(b)]
    return b[max(ratios)[1]] if ratios else None


def check_availability(requested: str, available: Sequence[str]) -> None:
    """Refuses a name that is not listed.

    Raises:
        ValueError: names the nearest.
    """
    if requested not in available:
        raise ValueError(f"'{requested}' is not available{suggest(requested, available)}")


def download_url(url: str, dst: str | os.PathLike[str]) -> None:
    """Fetches ``url`` into the file ``dst``."""
    urllib.request.urlretrieve(url, dst)


class Logger:
    """A stream that writes to the standard output and to a file, until it is closed.

    Args:
        fpath: the file; without it, the standard output alone.
    """

    def __init__(self, fpath: str | os.PathLike[str] | None = None) -> None:
        self.console = sys.stdout
        self.file = None
        if fpath is not None:
            mkdir_if_missing(Path(fpath).parent)
            self.file = open(fpath, "w", encoding="utf-8")  # noqa: SIM115  (closed by close())

    def __enter__(self) -> Logger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def write(self, msg: str) -> None:
        """Writes to both."""
        self.console.write(msg)
        if self.file is not None:
            self.file.write(msg)

    def flush(self) -> None:
        """Flushes both."""
        self.console.flush()
        if self.file is not None:
            self.file.flush()

    def close(self) -> None:
        """Closes the file; the standard output stays open."""
        if self.file is not None:
            self.file.close()
            self.file = None


def setup_logger(output: str | None = None) -> None:
    """Sends messages to the console; with ``output`` the standard output goes to a file, too, as in Dassl.

    ``mvlpt train`` does not need it: a run writes its own ``log.txt``.

    Args:
        output: a folder, for ``log.txt`` in it, or a file that ends in ``.txt`` or ``.log``.
    """
    setup_logging()
    if output is None:
        return
    path = Path(output)
    path = path if path.suffix in (".txt", ".log") else path / "log.txt"
    if path.exists():
        path = path.with_name(f"{path.name}-{time.strftime('%Y-%m-%d-%H-%M-%S')}")
    sys.stdout = Logger(path)  # type: ignore[assignment]
    print_results()


class ResultPrinter(logging.Handler):
    """Prints the lines that Dassl's users and scripts look for."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "plain", False):
            print(record.getMessage())


def print_results() -> None:
    """Prints result blocks, which the engine logs."""
    logger = logging.getLogger("mvlpt")
    if not any(isinstance(handler, ResultPrinter) for handler in logger.handlers):
        logger.addHandler(ResultPrinter(logging.DEBUG))


def collect_env_info() -> str:
    """Versions and devices, a line each."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return f"Python {platform.python_version()}\nPyTorch {torch.__version__}\nDevice {device}"


def count_num_param(model: nn.Module | None = None, params: Sequence[Any] | None = None) -> int:
    """Number of values in a model's parameters, or in a list of parameters or parameter groups."""
    if model is not None:
        return sum(parameter.numel() for parameter in model.parameters())
    if params is None:
        raise ValueError("Give a model or a list of parameters")
    return sum(sum(p.numel() for p in x["params"]) if isinstance(x, dict) else x.numel() for x in params)


def load_pretrained_weights(model: nn.Module, weight_path: str | os.PathLike[str]) -> None:
    """Copies the weights that fit by name and shape; the fixed buffers of class names are never taken.

    Args:
        model: changed in place.
        weight_path: a checkpoint, or a file that holds a state dict only.

    Raises:
        CheckpointError: the file cannot be read, or nothing in it fits.
    """
    own = model.state_dict()
    given = strip_wrappers(load_state_dict(weight_path), own, source=str(weight_path))
    given = {key: value for key, value in given.items() if not key.endswith(("token_prefix", "token_suffix"))}
    fitting = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise CheckpointError(f"Nothing in {weight_path} fits the model by name and shape")
    if others := [clean_text(key, 100) for key in given if key not in fitting]:
        log.warning("Of %s the model does not take %s: another name or shape", weight_path, listed(others))
    model.load_state_dict({**own, **fitting})


def resume_from_checkpoint(
    fdir: str | os.PathLike[str],
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: Any = None,
) -> int:
    """Loads the checkpoint that ``fdir/checkpoint`` points to; returns the epoch to start with.

    Raises:
        CheckpointError: there is none, or it cannot be read.
    """
    path = last_checkpoint(fdir)
    if path is None:
        raise CheckpointError(f"No file 'checkpoint' in {fdir}; name the folder of a model's checkpoints")
    content = load_checkpoint(path)
    model.load_state_dict(strip_wrappers(content["state_dict"], model.state_dict(), source=str(path)))
    for part, key in ((optimizer, "optimizer"), (scheduler, "scheduler")):
        if part is not None and content.get(key) is not None:
            part.load_state_dict(content[key])
    return content["epoch"]
