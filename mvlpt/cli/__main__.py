"""``python -m mvlpt.cli``: the command ``mvlpt``."""

import sys

from mvlpt.cli import main

if __name__ == "__main__":
    sys.exit(main())
