"""The command line: turns the words of a command into a run.

`parser.py`, `configuration.py` and `checks.py` make a checked configuration, and import neither torch nor Lightning.
`run.py` makes the parts of a run from it, and trains them in a folder (`run_folder.py`), on a Trainer (`trainer.py`);
`plan.py` makes the plan that is printed before training. `training/` has the command fit, `evaluation.py` the others.
"""

import signal

from mask_pinns.process.machine import prepare


def start(prog: str = "mask-pinns") -> int:
    """Runs the command with which Python was called, and returns its exit code.

    Until the imports are done, Ctrl-C ends the process without the traceback that Python shows by default. Threads and
    memory are set for the machine before torch is imported (`mask_pinns/process/machine.py`).

    Args:
        prog: how the command is called, for its help.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    prepare()
    from mask_pinns.cli.main import main

    return main(prog=prog)
