"""Runs `python -m mask_pinns.report`; see page.py."""

import sys

from mask_pinns.report.page import main

sys.exit(main())
