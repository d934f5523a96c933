#!/usr/bin/env python3
"""Build the task graph and pick the groups that should share a prompt; see ``--help``."""

import sys

from mvlpt.cli import main

if __name__ == "__main__":
    sys.exit(main(["group", *sys.argv[1:]]))
