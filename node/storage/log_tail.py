"""Check of LevelDB's logs before LevelDB opens them: tells a damaged record from a torn tail.

LevelDB takes a record that runs beyond the end of its log for a write that the crash of its process interrupted, and
drops it without an error. So a wrong length in the last 32 KiB drops the record and everything after it, and a zeroed
header drops the rest of its block. Opening the store then removes the evidence. Damage of any other kind fails
LevelDB's own checksums.

A log is a sequence of blocks of 32 KiB, which consist of records: checksum (4 bytes), length (2), kind (1), content.
The checksum covers kind and content, not the length. A batch is one record, or, across blocks, one for each block.
Every batch is synced before the next one is written; so only the last batch of a log can be torn, and what there is of
it is a prefix of what was to be written. MANIFEST files have the same form.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

BLOCK_BYTES: Final = 32 * 1024
HEADER: Final = struct.Struct("<IHB")
BATCH_HEAD: Final = struct.Struct("<QI")
"""Sequence number of a batch's first entry, and the number of entries. The next batch has the sum as its first."""
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
CHECKSUM_DELTA: Final = 0xA282EAD8


def damage_in_logs(folder: Path) -> str:
    """The first damage in the logs of a store, as a text that names the file; "" where there is none."""
    names = sorted(path.name for path in folder.glob("*.log"))
    with suppress(OSError, UnicodeDecodeError):  # LevelDB itself reports what is wrong with CURRENT
        names.append((folder / "CURRENT").read_text().strip())
    for name in names:
        with suppress(FileNotFoundError, IsADirectoryError):  # removed meanwhile by the process that has it open
            offset = damaged_record((folder / name).read_bytes())
            if offset is not None:
                return (
                    f"the record at byte {offset} of {name} is wrong; LevelDB would take it for an unfinished write, "
                    "and drop it and all later ones"
                )
    return ""


def damaged_record(log: bytes) -> int | None:
    """The offset of a damaged record that LevelDB would drop without an error; None where there is none. For damage
    that LevelDB reports, the answer may be either."""
    at, is_within = 0, False
    while len(log) - at >= HEADER.size:
        left = BLOCK_BYTES - at % BLOCK_BYTES
        if left < HEADER.size:  # too little for a header: filled with zeros
            at += left
            continue
        checksum, length, kind = HEADER.unpack_from(log, at)
        if not kind:  # a file system may have extended the file before the content was on disk
            return at if log[at + HEADER.size :].strip(b"\0") else None
        if not _can_be_written(kind, length, left - HEADER.size, is_within):
            return at
        end = at + HEADER.size + length
        if end > len(log):
            return at if _has_checksum_within(log, at, checksum) or _is_followed(log, at) else None
        at, is_within = end, kind in (FIRST, MIDDLE)
    return None


def _can_be_written(kind: int, length: int, room: int, is_within: bool) -> bool:
    """Whether LevelDB writes such a record where the block has this room for its content. `is_within`: the records
    before it have begun a batch."""
    if kind not in ((MIDDLE, LAST) if is_within else (FULL, FIRST)):
        return False
    return length == room if kind in (FIRST, MIDDLE) else length <= room


def _has_checksum_within(log: bytes, at: int, checksum: int) -> bool:
    """Whether the record's checksum is that of its kind and a part of what follows: then only its length is wrong. A
    torn record has it by chance once in 130,000 times, at most."""
    rotated = (checksum - CHECKSUM_DELTA) & 0xFFFFFFFF
    expected = ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF ^ 0xFFFFFFFF
    register = _advanced(0xFFFFFFFF, log[at + HEADER.size - 1])
    for byte in log[at + HEADER.size : at + HEADER.size + BLOCK_BYTES]:
        if register == expected:
            return True
        register = _advanced(register, byte)
    return register == expected


def _is_followed(log: bytes, at: int) -> bool:
    """Whether a valid record with the next batch follows somewhere: then this one was complete once. Its first
    sequence number must be the next one, since the content of a torn record can contain anything else."""
    begin = at + HEADER.size
    if len(log) - begin < BATCH_HEAD.size:
        return False
    sequence, entries = BATCH_HEAD.unpack_from(log, begin)
    following = ((sequence + entries) % 2**64).to_bytes(8, "little")
    found = log.find(following, begin + BATCH_HEAD.size + HEADER.size)
    while found >= 0:
        checksum, length, kind = HEADER.unpack_from(log, found - HEADER.size)
        if (
            kind in (FULL, FIRST)
            and found + length <= len(log)
            and checksum == _checksum(log[found - 1 : found + length])
        ):
            return True
        found = log.find(following, found + 1)
    return False


# --- CRC-32C ----------------------------------------------------------------------------------------------
def _entry(number: int) -> int:
    for _ in range(8):
        number = (number >> 1) ^ (0x82F63B78 if number & 1 else 0)
    return number


_TABLE: Final = tuple(_entry(number) for number in range(256))


def _advanced(register: int, byte: int) -> int:
    return _TABLE[(register ^ byte) & 255] ^ (register >> 8)


def _checksum(content: bytes) -> int:
    """CRC-32C of kind and content, masked as LevelDB stores it."""
    register = 0xFFFFFFFF
    for byte in content:
        register = _advanced(register, byte)
    crc = register ^ 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + CHECKSUM_DELTA) & 0xFFFFFFFF
