"""Limits of what is read from files, each with the environment variable that changes it.

They are variables of the environment, not options of a command or keys of a configuration: jobs and the workers of
data loaders inherit them, and no file can set them.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from mvlpt.errors import ConfigError


class Limit(NamedTuple):
    """A limit.

    Attributes:
        default: its value where the variable is not set.
        meaning: what it bounds, and in which unit.
    """

    default: int
    meaning: str


LIMITS = {
    "MVLPT_MAX_TEXT_MB": Limit(64, "MiB of a text file, such as JSON, CSV, a manifest or an index"),
    "MVLPT_MAX_VALUES": Limit(2**23, "values and keys of a JSON file, cells of a table, files of a class folder"),
    "MVLPT_MAX_YAML_VALUES": Limit(100_000, "values of a YAML file, as they are written"),
    "MVLPT_MAX_PIXELS": Limit(89_000_000, "pixels of an image"),
    "MVLPT_MAX_ENTRY_MB": Limit(256, "MiB that an entry of an archive unpacks to"),
    "MVLPT_MAX_ENTRIES": Limit(2**20, "entries of an archive"),
    "MVLPT_MAX_FEATURES_MB": Limit(65_536, "MiB of a file of features, an embedding or a table of predictions"),
    "MVLPT_FOLLOW_LINKS": Limit(0, "1 to follow links that lead out of a data set's folder"),
}
_LARGEST = 2**62


def limit(variable: str) -> int:
    """The value of a limit.

    Raises:
        ConfigError: the variable is set to something else than a whole number.
    """
    given = os.environ.get(variable, "")
    if not given:
        return LIMITS[variable].default
    if not (given.isascii() and given.isdecimal()) or len(given) > 19 or int(given) > _LARGEST:
        raise ConfigError(f"The environment variable {variable} is {given!r:.60}; set it to a whole number")
    return int(given)
