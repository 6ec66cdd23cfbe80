"""Whose mistake it is: a problem's own functions may fail in any way; one line names the one that did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ProblemFailed(Exception):
    """A function of the problem's own failed in the middle of training; the message names it, and the step."""


@contextmanager
def blamed(what: str, title: str, when: Callable[[], str] | None = None) -> Iterator[None]:
    """Errors within, `sys.exit` among them, become those of `what`, a function of the problem `title`.

    Raises:
        ValueError: before training, where `when` is None; what names the problem already says what it said.
        ProblemFailed: in training, with the time that `when` tells.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        if not (isinstance(error, ValueError) and title in said):
            said = f"{what} of {title} fails: {type(error).__name__}: {said}".rstrip(": ")
        if when is None:
            raise ValueError(said) from error
        raise ProblemFailed(f"{said} ({when()})") from error
