"""How Python is started in a folder that may come from someone else: it imports nothing from there."""

from __future__ import annotations

import sys

_OLDER = (
    "import runpy, sys; sys.path[:1] = []; module = sys.argv.pop(1);"
    " runpy.run_module(module, run_name='__main__', alter_sys=True)"
)


def python_module(module: str) -> list[str]:
    """The words that start a module; ``python -m`` would put the folder in which it starts in front of all others."""
    if sys.version_info >= (3, 11):
        return [sys.executable, "-u", "-P", "-m", module]
    return [sys.executable, "-u", "-c", _OLDER, module]


def python_code(code: str) -> list[str]:
    """The words that run a piece of code."""
    return [sys.executable, "-c", f"import sys; sys.path[:1] = []\n{code}"]
