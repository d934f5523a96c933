#!/usr/bin/env python3
"""Tune or evaluate prompts; see ``--help``."""

import sys

from mvlpt.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
