"""Errors in the functions of a problem: they may fail in any way; one line names the function that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ProblemFailed(Exception):
    """A function of the problem failed during training; the message names it and the step."""


def in_words(error: BaseException) -> str:
    """The kind and the message of an error in a user's code, with the cure of a common mistake."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
    if isinstance(error, NameError) and error.name == "self":
        text += "; what uses a coefficient is a property: @property def conditions(self): return (...)"
    return text


@contextmanager
def attribute_errors_to(what: str, title: str, when: Callable[[], str] | None = None) -> Iterator[None]:
    """Attributes errors in the context, `sys.exit` included, to `what`, a function of the problem `title`.

    Raises:
        ValueError: before training, that is if `when` is None; a message that already names the problem stays as it is.
        ProblemFailed: during training, with the time that `when` returns.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).split())
        if not (isinstance(error, ValueError) and title in message):
            message = f"{what} of {title} fails: {in_words(error)}"
        if when is None:
            raise ValueError(message) from error
        raise ProblemFailed(f"{message} ({when()})") from error
