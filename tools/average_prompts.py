#!/usr/bin/env python3
"""Average the tuned prompts of several runs; see ``--help``."""

import sys

from mvlpt.cli import main

if __name__ == "__main__":
    sys.exit(main(["average", *sys.argv[1:]]))
