"""An archive: a file of blocks with their certificates, written and read as a stream (docs/AUDITING.md, Archive).

    magic     "BMWARCH1"
    header    version u16, genesis hash, first height u64, SHA-256 of all bytes so far
    segments  "S", first u64, last u64, length u32, SHA-256 of the data, data: one zstd frame over the concatenated
              canonical encodings of `Committed`
    trailer   "T", number of segments u32, last height u64, SHA-256 over magic, header and all segment headers

Numbers are big-endian. Every byte is covered by a hash, and nothing may follow the trailer.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgpack  # type: ignore[import-untyped]
import zstandard

from node import limits
from node.chain.block import Committed, decode_committed
from node.codec import encode
from node.errors import Corrupted, Malformed, OperatorError, Rejected
from node.storage.chain_store import ChainReader
from node.storage.snapshot import ZSTD_LEVEL, decompressed
from node.storage.store_dirs import sync

MAGIC = b"BMWARCH1"
VERSION = 1
COMMITTED_BYTES_MAX = limits.BLOCK_BYTES_CAP + 384 * 1024
"""The limit of `decode_committed`."""
SEGMENT_BYTES = 2 * 1024 * 1024
"""A segment is closed when its blocks reach this size. A reader has one segment in memory."""
SEGMENT_BYTES_MAX = SEGMENT_BYTES + COMMITTED_BYTES_MAX
"""Decompressed bytes of one segment. A larger one is damaged, and is not decompressed."""

_HEADER = struct.Struct(">H32sQ")
_SEGMENT = struct.Struct(">QQI32s")
_TRAILER = struct.Struct(">IQ32s")
_START = len(MAGIC) + _HEADER.size + 32
_DATA_MAX = SEGMENT_BYTES_MAX + SEGMENT_BYTES_MAX // 128 + 1024
"""Compressed bytes of one segment: zstd grows incompressible data by less than this."""


class Segment(NamedTuple):
    """One segment of the file, its data checked against its hash."""

    first: int
    last: int
    data: bytes


def write_archive(path: Path, reader: ChainReader, first: int, last: int, genesis_hash: bytes) -> None:
    """Write blocks `first` to `last` of `reader`. The file appears whole or not at all. Raises `OperatorError`."""
    if not 1 <= first <= last:
        raise OperatorError(f"blocks {first} to {last} are not a range: give --from at least 1 and --to not below it")
    temporary = path.with_name(path.name + ".partial")
    try:
        with temporary.open("wb") as file:
            _write(file, reader, first, last, genesis_hash)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise OperatorError(f"{path} can't be written ({error.strerror}): choose another place or make room") from None
    finally:
        temporary.unlink(missing_ok=True)


def _write(file: BinaryIO, reader: ChainReader, first: int, last: int, genesis_hash: bytes) -> None:
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_content_size=True)
    start = MAGIC + _HEADER.pack(VERSION, genesis_hash, first)
    start += sha256(start).digest()
    file.write(start)
    digest = sha256(start)
    segments, segment_first = 0, first
    blocks = bytearray()
    for height in range(first, last + 1):
        committed = reader.committed(height)
        if committed is None:
            raise OperatorError(f"the store has no block {height} with its certificate: choose --from and --to within")
        blocks += encode(committed)
        if len(blocks) < SEGMENT_BYTES and height < last:
            continue
        data = compressor.compress(blocks)
        head = b"S" + _SEGMENT.pack(segment_first, height, len(data), sha256(data).digest())
        digest.update(head)
        file.write(head + data)
        segments, segment_first = segments + 1, height + 1
        blocks.clear()
    file.write(b"T" + _TRAILER.pack(segments, last, digest.digest()))


class ArchiveReader:
    """Reads an archive block by block, with one segment in memory.

    Raises `OperatorError` where this software can't read the file as an archive, and `Corrupted` with the segment and
    its heights where it is damaged. An archive is intact only if iteration reaches its end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                start = file.read(_START)
                size = os.fstat(file.fileno()).st_size
                file.seek(max(0, size - _TRAILER.size))
                end = file.read(_TRAILER.size)
        except OSError as error:
            raise OperatorError(f"{path} can't be read ({error.strerror}): check the path") from None
        has_hash = len(start) == _START and sha256(MAGIC + start[len(MAGIC) : -32]).digest() == start[-32:]
        if not start.startswith(MAGIC) and not has_hash:
            raise OperatorError(f"{path} is not an archive of blocks: make one with 'bmw-node export'")
        if not has_hash or not start.startswith(MAGIC):
            part = "header" if not has_hash else "first bytes"
            raise Corrupted(f"the archive {path} is damaged in its {part}: export it again")
        version, self.genesis_hash, self.first = _HEADER.unpack(start[len(MAGIC) : -32])
        if version != VERSION:
            raise OperatorError(f"{path} has archive version {version}, this software reads {VERSION}: use a newer one")
        self._start = start
        self.trailer = end
        self.last: int = _TRAILER.unpack(end)[1]
        """The trailer's claim, proven only when iteration reaches its end."""
        if size < _START + 1 + _TRAILER.size or self.last < self.first:
            raise Corrupted(f"the archive {path} is damaged in its trailer: it is cut off; export it again")

    def __iter__(self) -> Iterator[Committed]:
        """Every block with its certificate, in order of height."""
        for height, raw in self.raw():
            try:
                committed = decode_committed(raw)
            except Rejected as error:
                raise self._damaged(f"block {height}: {error}") from None
            if committed.block.header.height != height:
                raise self._damaged(f"block {committed.block.header.height} is in the place of block {height}")
            yield committed

    def raw(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """(height, bytes of `Committed`) of every block from `start` on, and of the others in its segment."""
        for number, segment in self.segments(start):
            where = f"segment {number}, heights {segment.first} to {segment.last}"
            try:
                content = decompressed(segment.data, SEGMENT_BYTES_MAX)
            except Malformed as error:
                raise self._damaged(f"{where}: {error}") from None
            unpacker = msgpack.Unpacker(BytesIO(content), max_buffer_size=SEGMENT_BYTES_MAX)
            start = 0
            for height in range(segment.first, segment.last + 1):
                try:
                    unpacker.skip()
                except (ValueError, msgpack.UnpackException) as error:
                    text = f"block {height} does not decode ({error or 'it is cut off'})"
                    raise self._damaged(f"{where}: {text}") from None
                end = unpacker.tell()
                yield height, content[start:end]
                start = end
            if start != len(content):
                raise self._damaged(f"{where}: bytes follow the last block")

    def segments(self, start: int = 0) -> Iterator[tuple[int, Segment]]:
        """(number, segment) of every segment in order that does not end before height `start`, checked against its
        hash; then the trailer is checked against the heads of all."""
        try:
            with self._path.open("rb") as file:
                file.seek(_START)
                yield from self._segments(file, start)
        except OSError as error:
            raise OperatorError(f"{self._path} can't be read ({error.strerror}): check the disk") from None

    def _segments(self, file: BinaryIO, start: int) -> Iterator[tuple[int, Segment]]:
        digest = sha256(self._start)
        count, expected = 0, self.first
        while (mark := file.read(1)) == b"S":
            where = f"segment {count}, from height {expected}"
            head = file.read(_SEGMENT.size)
            if len(head) < _SEGMENT.size:
                raise self._damaged(f"{where}: the file ends within its header")
            first, last, length, data_hash = _SEGMENT.unpack(head)
            if first != expected or last < first or last > self.last:
                raise self._damaged(f"{where}: claims heights {first} to {last}")
            where = f"segment {count}, heights {first} to {last}"
            if length > _DATA_MAX:
                raise self._damaged(f"{where}: {length} bytes, at most {_DATA_MAX} are allowed")
            digest.update(mark + head)
            if last < start:
                file.seek(length, os.SEEK_CUR)
            else:
                data = file.read(length)
                if len(data) < length:
                    raise self._damaged(f"{where}: the file ends within its data")
                if sha256(data).digest() != data_hash:
                    raise self._damaged(f"{where}: the data does not match its SHA-256")
                yield count, Segment(first, last, data)
            count, expected = count + 1, last + 1
        where = f"trailer after segment {count - 1}, height {expected - 1}"
        tail = file.read(_TRAILER.size)
        if mark != b"T" or len(tail) < _TRAILER.size:
            raise self._damaged(f"{where}: the file ends early or has other content")
        if _TRAILER.unpack(tail) != (count, expected - 1, digest.digest()):
            raise self._damaged(f"{where}: does not match the segments")
        if file.read(1):
            raise self._damaged(f"{where}: more bytes follow it")

    def _damaged(self, text: str) -> Corrupted:
        return Corrupted(f"the archive {self._path} is damaged: {text}; export it again")
