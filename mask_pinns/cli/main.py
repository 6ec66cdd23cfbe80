"""`main`: the function that the command `mask-pinns`, `python -m mask_pinns` and `python train.py` call.

Exit codes: 0 if the command is done; 1 if it had to stop (the loss became NaN or infinite, the disk is full, the memory
does not suffice, another process was lost); 2 if the command is invalid; after an interruption, with the state saved:
130 for Ctrl-C, 143 for SIGTERM, 138 for SIGUSR1, 129 for a terminal that was closed.
"""

from __future__ import annotations

import logging
import sys
import warnings
from types import SimpleNamespace

from mask_pinns.catalog.problem_files import forget_modules
from mask_pinns.cli.checks import check_environment, idle_flags
from mask_pinns.cli.parser import PROG, read
from mask_pinns.cli.run_folder import Stopped, UsageError
from mask_pinns.cli.tuning.space import check_tune
from mask_pinns.process.signals import one_command

LONGEST_MESSAGE = 800
"""Largest number of characters of an error message."""


def _quiet() -> None:
    """Silences messages of Lightning about things that are intended here; its import would turn them on again."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", message="The dirpath has changed from")


def one_line(error: Exception) -> str:
    """Returns the message of an error in one line, without the middle of a very long one, as with an array in it."""
    text = " ".join(str(error).split())
    half = LONGEST_MESSAGE // 2
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:half]} ... {text[-half:]}"


def main(argv: list[str] | None = None, prog: str = PROG) -> int:
    """Runs one command and returns its exit code. An error of the user gives a message of one line.

    Args:
        argv: words of the command; those with which Python was called if not given.
        prog: how the command is called, for its help.
    """
    with one_command():
        return _answered(sys.argv[1:] if argv is None else argv, prog)


def _answered(argv: list[str], prog: str) -> int:
    """Runs one command; an error becomes a line and an exit code."""
    forget_modules()
    try:
        command, config = read(argv, prog)
        check_environment(vars(config))
        if command == "tune":
            check_tune(config)
        return _execute(command, config, prog)
    except Stopped as error:
        print(f"stopped: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2


def _execute(command: str, config: SimpleNamespace, prog: str) -> int:
    """Executes a command that can be read. Torch and Lightning are imported here: it takes seconds, which --help and
    the answer to a mistake do not have to wait for.
    """
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    from mask_pinns.cli import evaluation, failures, run
    from mask_pinns.cli.training import fit
    from mask_pinns.memory import is_out_of_memory

    _quiet()
    try:
        parts = run.build(config)
        for line in idle_flags(command, config, parts.module):
            parts.console.print(line, highlight=False, soft_wrap=True, markup=False)
        if command == "fit":
            return fit.fit(parts)
        if command == "tune":
            from mask_pinns.cli.tuning.command import tune  # Optuna is an extra

            return tune(parts, prog)
        own = {"predict": evaluation.predict, "export": evaluation.export}
        return own[command](parts) if command in own else evaluation.evaluate(parts, command)
    except Stopped:
        raise
    except MisconfigurationException as error:
        raise UsageError(str(error)) from error
    except Exception as error:
        if is_out_of_memory(error):
            raise failures.memory_error(error, config) from error
        if (used := failures.used_port(error)) is not None:
            raise used from error
        raise
