#!/usr/bin/env python3
"""Write, join and check prediction files of a leaderboard; see ``--help``."""

import sys

from mvlpt.cli import main

if __name__ == "__main__":
    sys.exit(main(["submission", *sys.argv[1:]]))
