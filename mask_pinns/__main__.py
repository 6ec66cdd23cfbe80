"""`python -m mask_pinns`: the command line, as the command `mask-pinns`."""

import os
import sys

from mask_pinns.cli import start

if sys.flags.safe_path:  # python -P: else Lightning would start the processes of other devices without it
    os.environ["PYTHONSAFEPATH"] = "1"
sys.exit(start("python -m mask_pinns"))
