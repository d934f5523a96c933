#!/usr/bin/env python3
"""Runs an experiment from its tasks to its results; see ``--help``."""

import sys

from mvlpt.cli import main

if __name__ == "__main__":
    sys.exit(main(["experiment", *sys.argv[1:]]))
