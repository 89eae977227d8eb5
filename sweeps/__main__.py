"""`python -m sweeps` is the `bpsweep` command."""

import sys

from sweeps.cli import main

sys.exit(main())
