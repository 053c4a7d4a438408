"""`python3 -m tools.updater`: see `main`."""

import sys

from tools.updater.main import main

sys.exit(main())
