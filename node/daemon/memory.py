"""What this process holds in memory; and free memory goes back to the system now and then.

What Python and LevelDB have freed stays with glibc in pieces: after 45 minutes of scripts/chaos --soak one trim gave
9 of 99 MB back. Cycles of Python objects are collected first; how much they hold has not been measured.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from pathlib import Path

from node.storage.leveldb import LevelStore

STATUS_FILE = Path("/proc/self/status")
_KINDS = {"RssAnon:": "anonymous", "RssFile:": "mapped"}
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""Names of glibc's mallopt(3)."""
TRIM_S = 120.0
"""A collection holds everything else up: 30 ms where half a million blocks live (a node of the soak has 350,000)."""


def settle_allocator() -> bool:
    """Large buffers are mapped for themselves, so that they go back at once, and threads share two arenas: with one for
    each thread every one keeps its own free pieces. How much that saves has not been measured. Whether glibc did so."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return all(mallopt(name, value) for name, value in ((M_ARENA_MAX, 2), (M_MMAP_THRESHOLD, 256 * 1024)))


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


def memory_numbers(*stores: LevelStore) -> dict[str, int]:
    """Metrics. Anonymous memory is what can't be taken away from the process; mapped are its program and the store's
    files as far as they were read, which the system drops when it needs room. LevelDB's part is anonymous too.

    The first two are missing where the system does not tell them (not Linux).
    """
    found = {f'memory_bytes{{kind="{kind}"}}': size for kind, size in _resident().items()}
    found['memory_bytes{kind="leveldb"}'] = sum(store.memory_bytes() for store in stores)
    found["python_blocks"] = sys.getallocatedblocks()
    return found


def _resident() -> dict[str, int]:
    try:
        lines = STATUS_FILE.read_text().splitlines()
    except OSError:
        return {}
    fields = [line.split() for line in lines]
    return {_KINDS[words[0]]: int(words[1]) * 1024 for words in fields if len(words) == 3 and words[0] in _KINDS}
