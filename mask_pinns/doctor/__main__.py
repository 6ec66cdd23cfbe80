"""`python -m mask_pinns.doctor`: versions, devices, memory, threads, compiler, and trials; exit code 1 if one fails.

python -m mask_pinns.doctor              what is installed, and whether derivatives are right on every device
python -m mask_pinns.doctor --no_trials  without the trials, in a second or two
"""

from __future__ import annotations

import argparse
import sys

from mask_pinns.doctor.examination import inventory, trials


def main(words: list[str] | None = None) -> int:
    """Prints a line for each finding, to be copied into a report."""
    parser = argparse.ArgumentParser(
        prog="python -m mask_pinns.doctor", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no_trials", action="store_true", help="only what is installed")
    options = parser.parse_args(words)
    for name, text in inventory():
        print(f"{name:13} {text}", flush=True)
    failed = []
    for name, text, holds in () if options.no_trials else trials():
        print(f"{name:13} {text}{'' if holds else '   <- this is wrong'}", flush=True)
        failed += [] if holds else [name]
    fine = "nothing was tried" if options.no_trials else "nothing wrong was found"
    print(f"does not work: {', '.join(failed)}" if failed else fine)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
