"""`python -m mask_pinns`: the command line, as the command `mask-pinns`."""

import sys

from mask_pinns.cli.main import main

sys.exit(main(prog="python -m mask_pinns"))
