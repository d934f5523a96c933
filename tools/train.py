#!/usr/bin/env python3
"""Tune or evaluate prompts; see ``--help``."""

import sys

from mvlpt.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
