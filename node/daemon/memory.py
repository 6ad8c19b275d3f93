"""Memory of this process: its metrics, and returning free memory to the system.

glibc keeps what Python and LevelDB have freed, in fragments: after 45 minutes of scripts/chaos --soak one trim returned
9 of 99 MB. Cyclic garbage is collected first; how much it occupies has not been measured.
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
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Parameters of glibc's mallopt(3)."""
ALLOCATOR = {M_ARENA_MAX: 2, M_MMAP_THRESHOLD: 512 * 1024, M_TRIM_THRESHOLD: 2 * 1024 * 1024}
"""asyncio allocates 256 KiB for every read from a socket and frees most of it at once. Where that is mapped (threshold
256 KiB), or the end of the heap is returned (by default above 128 KiB), each read pays for system calls and fresh
pages: `GET /v1/vehicles/{vin}` took 134 us of processor time instead of 100."""
TRIM_S = 120.0


def settle_allocator() -> bool:
    """Map large buffers separately, so that they are returned at once, and have threads share two arenas: an arena for
    each thread keeps free fragments of its own. How much that saves has not been measured. False where the C library
    is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return all(mallopt(name, value) for name, value in ALLOCATOR.items())


def trim() -> bool:
    """Returns whether memory was given back; never where the C library is not glibc."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):
        return False


async def trim_for_ever() -> None:
    while True:
        await asyncio.sleep(TRIM_S)
        gc.collect()  # not in a thread: what it finalizes belongs to this loop
        await asyncio.to_thread(trim)


def memory_numbers(*stores: LevelStore) -> dict[str, int]:
    """Metrics. The system can't reclaim anonymous memory; mapped memory is the program and the parts of the stores'
    files that were read, which the system drops when it needs room. LevelDB's part is anonymous too.

    The first two are missing where the system does not report them (not Linux).
    """
    samples = {f'memory_bytes{{kind="{kind}"}}': size for kind, size in _resident().items()}
    samples['memory_bytes{kind="leveldb"}'] = sum(store.memory_bytes() for store in stores)
    samples["python_blocks"] = sys.getallocatedblocks()
    return samples


def _resident() -> dict[str, int]:
    try:
        lines = STATUS_FILE.read_text().splitlines()
    except OSError:
        return {}
    fields = [line.split() for line in lines]
    return {_KINDS[words[0]]: int(words[1]) * 1024 for words in fields if len(words) == 3 and words[0] in _KINDS}
