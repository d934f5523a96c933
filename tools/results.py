#!/usr/bin/env python3
"""Tables of the scores of many runs; see ``--help``."""

import sys

from mvlpt.cli import main

if __name__ == "__main__":
    sys.exit(main(["results", *sys.argv[1:]]))
