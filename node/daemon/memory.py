"""Free memory goes back to the system now and then.

What Python and LevelDB have freed stays with glibc in pieces: after 45 minutes of scripts/chaos --soak one trim gave
9 of 99 MB back. Cycles of Python objects are collected first; how much they hold has not been measured.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc

TRIM_S = 120.0
"""A collection holds everything else up for some 50 ms."""


def trim() -> bool:
    """Whether there was something to give back; never where the C library is another one (not glibc)."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):
        return False


async def trim_for_ever() -> None:
    while True:
        await asyncio.sleep(TRIM_S)
        gc.collect()  # here, not in a thread: what it finalizes belongs to this loop
        await asyncio.to_thread(trim)
