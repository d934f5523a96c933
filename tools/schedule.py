#!/usr/bin/env python3
"""Plan, run, watch, cancel and retry jobs; see ``--help``."""

import sys

from mvlpt.cli import main

if __name__ == "__main__":
    sys.exit(main(["schedule", *sys.argv[1:]]))
