"""`python -m tools.bench`."""

import sys

from tools.bench.catalogue import main

sys.exit(main())
