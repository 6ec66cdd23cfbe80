"""Train a Mask-PINN from the command line: `python train.py --help`. Everything is in `mask_pinns/cli/`."""

import sys

from mask_pinns.cli import start

if __name__ == "__main__":
    sys.exit(start("python train.py"))
