"""Run as `text-generation-launcher`; see `program`."""

from __future__ import annotations

import os
import sys

from support.tgi.launcher import main

sys.exit(main(sys.argv[1:], os.environ))
