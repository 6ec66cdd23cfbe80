"""`main`: the function that `python train.py` and the command `mask-pinns` call.

Exit codes: 0 if the command is done; 1 if it had to stop (the loss became NaN or infinite, the disk is full, the memory
does not suffice, another process was lost); 2 if the command is invalid; after an interruption, with the state saved:
130 for Ctrl-C, 143 for SIGTERM, 138 for SIGUSR1.
"""

from __future__ import annotations

import logging
import sys
import warnings

from lightning.pytorch.utilities.exceptions import MisconfigurationException

from mask_pinns.cli.checks import idle_flags
from mask_pinns.cli.fit import fit
from mask_pinns.cli.parser import read
from mask_pinns.cli.run import build, evaluate, predict
from mask_pinns.cli.run_folder import Stopped, memory_error
from mask_pinns.memory import is_out_of_memory

LONGEST_MESSAGE = 800
"""Largest number of characters of an error message."""


def _quiet() -> None:
    """Silences messages of Lightning about things that are intended here."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", message="The dirpath has changed from")


def one_line(error: Exception) -> str:
    """Returns the message of an error in one line, without the middle of a very long one, as with an array in it."""
    text = " ".join(str(error).split())
    half = LONGEST_MESSAGE // 2
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:half]} ... {text[-half:]}"


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code. An error of the user gives a message of one line."""
    _quiet()
    config = None
    try:
        command, config = read(sys.argv[1:] if argv is None else argv)
        run = build(config)
        for line in idle_flags(command, config, run.module):
            run.console.print(line, highlight=False, soft_wrap=True, markup=False)
        if command == "fit":
            return fit(run)
        return predict(run) if command == "predict" else evaluate(run, command)
    except Stopped as error:
        print(f"stopped: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if config is not None and is_out_of_memory(error):
            print(f"stopped: {one_line(memory_error(error, config))}", file=sys.stderr)
            return 1
        if not isinstance(error, ValueError | OSError | MisconfigurationException):
            raise
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
