"""``mvlpt completion``: a script with which a shell completes commands, options and their values."""

from __future__ import annotations

import argparse
import importlib

from mvlpt.cli.common import command_parser, exit_status
from mvlpt.config import short_names
from mvlpt.errors import MissingExtraError

SHELLS = ("bash", "zsh", "fish")
EXAMPLES = """\
one line installs it; open a new shell afterwards:
  mvlpt completion bash > ~/.local/share/bash-completion/completions/mvlpt
  mvlpt completion zsh > ~/.zsh/_mvlpt        # with `fpath+=(~/.zsh)` before `compinit` in ~/.zshrc
  mvlpt completion fish > ~/.config/fish/completions/mvlpt.fish

It needs shtab (pip install 'mvlpt[completion]') when it is made, and nothing when it is used.
"""
FILES, FOLDERS = ("FILE", "YAML", "JSON", "PNG", "PATH", "FILE.py"), ("DIR", "FOLDER")


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = command_parser("completion", "Print a script that completes mvlpt's commands and options.", EXAMPLES)
    parser.add_argument("shell", choices=SHELLS)
    return parser


@exit_status
def main(argv: list[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    print(completion_script(build_parser().parse_args(argv).shell))
    return 0


def completion_script(shell: str) -> str:
    """The script for a shell.

    Raises:
        MissingExtraError: shtab is not installed.
    """
    try:
        import shtab
    except ImportError:
        raise MissingExtraError(
            "Completion needs shtab, which is not installed: pip install 'mvlpt[completion]'"
        ) from None
    return shtab.complete(whole_parser(shtab.FILE, shtab.DIRECTORY), shell)


def whole_parser(files: dict[str, str], folders: dict[str, str]) -> argparse.ArgumentParser:
    """One parser for ``mvlpt`` with all commands, whose arguments say how they are completed.

    Args:
        files: how shells complete a file.
        folders: how they complete a folder.
    """
    from mvlpt.cli import COMMANDS

    whole = argparse.ArgumentParser(prog="mvlpt")
    whole.add_argument("--version", action="store_true", help="print the version")
    verbs = whole.add_subparsers(dest="command")
    for name, purpose in COMMANDS.items():
        own = importlib.import_module(f"mvlpt.cli.{name}").build_parser()
        _describe(own, files, folders)
        verbs.add_parser(name, help=purpose, description=purpose, parents=[own], add_help=False)
    return whole


def _describe(parser: argparse.ArgumentParser, files: dict[str, str], folders: dict[str, str]) -> None:
    """Says of every argument how it is completed: from fixed words, as a file, or as a folder."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in dict.fromkeys(action.choices.values()):
                _describe(inner, files, folders)
        elif "--trainer" in action.option_strings and not action.choices:
            action.choices = sorted({name.split("/")[0] for name in short_names() if "/embedded" in name})
        elif action.metavar in FILES or action.dest in ("out", "picture"):
            action.complete = files
        elif action.metavar in FOLDERS or action.dest in ("output_dir", "root"):
            action.complete = folders
