"""Limit of open files and sockets: raised as far as the system permits, with a reserve that HTTP can't use.

Without a free descriptor the signing state can't be written, and a validator that can't write it stops.
"""

from __future__ import annotations

import contextlib
import resource

WANTED = 65_536
RESERVED = 640
"""For p2p (links, refused connections, handshakes), verifiers and our own files. LevelDB has a fifth of the limit."""
LEAST = 16
"""HTTP connections that are allowed under any limit."""


def raised_limit() -> int:
    """The limit in force, after raising it as far as an unprivileged process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return WANTED if soft == resource.RLIM_INFINITY else soft


def connections_within(limit: int, wanted: int) -> int:
    """HTTP connections that may be open where `limit` descriptors may."""
    return max(LEAST, min(wanted, limit - limit // 5 - RESERVED))
