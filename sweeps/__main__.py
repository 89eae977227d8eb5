"""`python -m sweeps` is the `bpsweep` command."""

import sys

from sweeps.cli.main import main

sys.exit(main())
