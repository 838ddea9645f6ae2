"""``python -m epochd``."""

import sys

from epochd.cli import main

sys.exit(main())
