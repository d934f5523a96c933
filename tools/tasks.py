#!/usr/bin/env python3
"""List, check, show and get the tasks; see ``--help``."""

import sys

from mvlpt.cli import main

if __name__ == "__main__":
    sys.exit(main(["tasks", *sys.argv[1:]]))
