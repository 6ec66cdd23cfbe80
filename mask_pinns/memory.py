"""Memory: how much is free, an error of one line before more than that is allocated, and a log line on allocations."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

_log = logging.getLogger(__name__)
WARNING_BYTES = 10**9
"""Size from which on an allocation is announced at the log level WARNING, below it at INFO."""


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
