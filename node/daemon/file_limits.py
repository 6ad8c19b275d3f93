"""How many files and sockets this process may have open: as many as the system grants, and never all of them for HTTP.

Where none is left the signing state can't be written, and a validator that can't write it stops.
"""

from __future__ import annotations

import contextlib
import resource

WANTED = 65_536
RESERVED = 640
"""For p2p (links, links that are refused, handshakes), LevelDB (at most a fifth of the limit), verifiers, our own."""
LEAST = 16
"""Connections over HTTP that are possible in any case."""


def raised_limit() -> int:
    """The limit in force, lifted as far as an ordinary process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return WANTED if soft == resource.RLIM_INFINITY else soft


def connections_within(limit: int, wanted: int) -> int:
    """How many connections over HTTP may be open where `limit` descriptors are."""
    return max(LEAST, min(wanted, limit - limit // 5 - RESERVED))
