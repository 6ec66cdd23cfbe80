"""Memory: how much is free, an error of one line before more than that is allocated, and a log line on allocations.

`is_out_of_memory` recognizes the errors of an allocation that failed nevertheless, `evaluate_in_chunks` avoids them.
"""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

_log = logging.getLogger(__name__)
WARNING_BYTES = 10**9
"""Size from which on an allocation is announced at the log level WARNING, below it at INFO."""

CHUNK = 16384
"""Number of points at which a network is evaluated at a time."""
_SIGNS = re.compile(
    r"can't allocate memory|not enough memory|out of memory|bad_alloc|bad allocation|ALLOC_FAILED|alloc_cpu|"
    r"cannot allocate memory|unable to allocate|Storage size calculation overflowed|integer multiplication overflow",
    re.IGNORECASE,
)
"""Words in the messages of torch, numpy, CUDA and C++ about memory that could not be had."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tells whether an error, or one that it was raised from, is that of an allocation that failed."""
    return any(map(_is_failed_allocation, _chain(error)))


def requested(error: BaseException) -> str:
    """Says how much the failed allocation asked for, "" if its message does not."""
    for each in _chain(error):
        if match := re.search(r"allocate ([\d.]+) ([KMGTP]iB|bytes)", str(each)):
            number, unit = match.groups()
            return f"{float(number) / 1e9:.1f} GB" if unit == "bytes" else f"{number} {unit}"
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it was raised from or while."""
    following: BaseException | None = error
    while following is not None:
        yield following
        context = None if following.__suppress_context__ else following.__context__
        following = following.__cause__ or context


def _is_failed_allocation(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and _SIGNS.search(str(error)) is not None


def evaluate_in_chunks(function: Callable[[Tensor], Tensor], x: Tensor, like: Tensor, size: int = CHUNK) -> Tensor:
    """function(x) for x (N, D) on the CPU, row by row independent, as a tensor (N, F) there.

    The rows pass in chunks of `size`, half as many whenever memory does not suffice; the last chunk has up to twice as
    many, because products of few rows are rounded in another way. Raises the error of a chunk of one row.

    Args:
        function: maps rows to rows, on the device and in the dtype of `like`.
        x: the rows.
        like: a tensor on that device, in that dtype.
        size: the number of rows of a chunk.
    """
    result, start = None, 0
    while start < len(x) or result is None:
        end = start + size if start + 2 * size <= len(x) else len(x)
        try:
            part = function(x[start:end].to(like)).cpu()
            result = part.new_empty(len(x), *part.shape[1:]) if result is None else result
        except Exception as error:
            if end - start <= 1 or not is_out_of_memory(error):
                raise
            size = max(1, min(size, end - start) // 2)
            continue
        result[start:end] = part
        start = end
    return result


def available_memory(device: torch.device, meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Free bytes on the device, including those that torch's allocator reserves; None if they are not known.

    On the CPU it is the kernel's MemAvailable; the limits of containers are not considered.
    """
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    if device.type != "cpu" or not meminfo.is_file():
        return None
    sizes = dict(line.split(":") for line in meminfo.read_text().splitlines() if ":" in line)
    return int(sizes["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in sizes else None


def require_memory(need: int, device: torch.device, what: str, cure: str) -> None:
    """Raises ValueError if fewer than `need` bytes are free on the device."""
    free = available_memory(device)
    if free is not None and need > free:
        raise ValueError(f"{what} needs {need / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free on {device}: {cure}")


def announce(need: int, device: torch.device, what: str) -> None:
    """Logs that `what` needs so many bytes on the device."""
    level = logging.WARNING if need > WARNING_BYTES else logging.INFO
    _log.log(level, "%s: %.3f GB on %s", what, need / 1e9, device)
