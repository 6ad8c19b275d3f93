"""Archives: what goes in comes out, and no damage goes unseen."""

import struct
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard
from support.chain import Chain
from support.life import Life

from node.codec import encode
from node.errors import Corrupted, OperatorError
from node.storage import archive
from node.storage.archive import MAGIC, ArchiveReader, write_archive


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Life(Chain()).to("offered").chain


@pytest.fixture
def path(chain: Chain, tmp_path: Path) -> Path:
    return written(chain, tmp_path / "blocks.bmw")


def written(chain: Chain, path: Path, first: int = 1, last: int = 0) -> Path:
    write_archive(path, chain.store, first, last or chain.store.height(), chain.genesis_hash)
    return path


def read(path: Path) -> list[bytes]:
    return [encode(committed) for committed in ArchiveReader(path)]


def crafted(path: Path, segments: list[tuple[int, int, bytes]], genesis_hash: bytes = bytes(32), last: int = 0) -> Path:
    """An archive whose hashes are all right, made by somebody who means no good."""
    start = MAGIC + struct.pack(">H32sQ", 1, genesis_hash, 1)
    start += sha256(start).digest()
    digest, body = sha256(start), start
    for first, final, data in segments:
        head = b"S" + struct.pack(">QQI32s", first, final, len(data), sha256(data).digest())
        digest.update(head)
        body += head + data
    body += b"T" + struct.pack(">IQ32s", len(segments), last or segments[-1][1], digest.digest())
    path.write_bytes(body)
    return path


def test_blocks_come_out_as_they_went_in(chain: Chain, path: Path) -> None:
    reader = ArchiveReader(path)
    assert (chain.genesis_hash, 1, chain.store.height()) == (reader.genesis_hash, reader.first, reader.last)
    assert [encode(chain.store.committed(h)) for h in range(1, chain.store.height() + 1)] == read(path)
    assert not list(path.parent.glob("*.partial"))


def test_many_segments_and_a_range(chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SEGMENT_BYTES", 1)
    path = written(chain, tmp_path / "range.bmw", 2, 4)
    reader = ArchiveReader(path)
    assert [(2, 2), (3, 3), (4, 4)] == [(s.first, s.last) for _, s in reader.segments()]
    assert [2, 3, 4] == [c.block.header.height for c in reader]


def test_every_flipped_byte_is_seen(chain: Chain, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SEGMENT_BYTES", 1_500)
    good = written(chain, path).read_bytes()
    damaged = tmp_path / "damaged.bmw"
    for place in range(len(good)):
        damaged.write_bytes(good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :])
        with pytest.raises((Corrupted, OperatorError)):
            read(damaged)


def test_truncation_and_appended_bytes_are_seen(path: Path, tmp_path: Path) -> None:
    good = path.read_bytes()
    damaged = tmp_path / "damaged.bmw"
    for length in range(len(good)):
        damaged.write_bytes(good[:length])
        with pytest.raises((Corrupted, OperatorError)):
            read(damaged)
    for tail in (b"\x00", b"garbage", good[-45:], good):
        damaged.write_bytes(good + tail)
        with pytest.raises(Corrupted):
            read(damaged)


def test_damage_names_segment_and_heights(chain: Chain, path: Path) -> None:
    good = bytearray(path.read_bytes())
    good[len(good) // 2] ^= 1
    path.write_bytes(good)
    with pytest.raises(Corrupted, match=rf"segment 0, heights 1 to {chain.store.height()}: .*SHA-256"):
        read(path)


def test_a_decompression_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 30))
    assert len(bomb) < 100_000
    with pytest.raises(Corrupted, match="1073741824 bytes decompressed"):
        read(crafted(tmp_path / "bomb.bmw", [(1, 1, bomb)]))
    unsized = zstandard.ZstdCompressor(write_content_size=False).compressobj().compress(b"") or b""
    undeclared = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 20))
    with pytest.raises(Corrupted, match="decompressed"):
        read(crafted(tmp_path / "unsized.bmw", [(1, 1, unsized + undeclared)]))


def test_frames_that_lie_are_refused(chain: Chain, tmp_path: Path) -> None:
    first, second = (encode(chain.store.committed(h)) for h in (1, 2))
    pack = zstandard.ZstdCompressor().compress
    for name, segments in {
        "two frames": [(1, 2, pack(first) + pack(second))],
        "bytes after the last block": [(1, 1, pack(first + second))],
        "too few blocks": [(1, 2, pack(first))],
        "other heights": [(1, 2, pack(second + first))],
        "no blocks": [(1, 1, pack(b"\xc0"))],
        "an unfinished value": [(1, 1, pack(first[:-1]))],
        "no frame": [(1, 1, b"no zstd at all")],
        "gap": [(1, 1, pack(first)), (3, 3, pack(second))],
        "backwards": [(1, 0, pack(first))],
    }.items():
        path = crafted(tmp_path / f"{name}.bmw", segments)
        with pytest.raises(Corrupted):
            read(path)


def test_what_is_no_archive_is_the_operators_error(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.bmw"
    other.write_bytes(b"something else")
    for wrong in (other, tmp_path / "missing.bmw", tmp_path):
        with pytest.raises(OperatorError):
            ArchiveReader(wrong)
    newer = MAGIC + struct.pack(">H32sQ", 2, bytes(32), 1)
    other.write_bytes(newer + sha256(newer).digest() + path.read_bytes()[len(newer) + 32 :])
    with pytest.raises(OperatorError, match="version 2"):
        ArchiveReader(other)


def test_nothing_is_left_where_writing_fails(chain: Chain, tmp_path: Path) -> None:
    path = tmp_path / "blocks.bmw"
    with pytest.raises(OperatorError, match="no block"):
        written(chain, path, 1, chain.store.height() + 1)
    with pytest.raises(OperatorError, match="range"):
        written(chain, path, 3, 2)
    with pytest.raises(OperatorError, match="can't be written"):
        written(chain, tmp_path / "no folder" / "blocks.bmw")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("at", range(len(MAGIC)))
def test_an_archive_whose_first_bytes_are_flipped_is_a_damaged_one_and_not_something_else(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)
    with pytest.raises(Corrupted, match="first bytes"):
        ArchiveReader(path)
    path.write_bytes(b"PK" + bytes(200))
    with pytest.raises(OperatorError, match="not an archive"):
        ArchiveReader(path)
