"""Train a Mask-PINN from the command line: `python train.py --help`. Everything is in `mask_pinns/cli/`."""

import sys

from mask_pinns.cli.main import main

if __name__ == "__main__":
    sys.exit(main(prog="python train.py"))
