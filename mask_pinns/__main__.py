"""`python -m mask_pinns`: the command line, as `python train.py` in a checkout."""

import sys

from mask_pinns.cli.main import main

sys.exit(main())
