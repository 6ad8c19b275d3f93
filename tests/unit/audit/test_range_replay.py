"""A replay over ranges finds what a replay in order finds: the same roots, the same keys, the same first divergence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from msgspec.structs import replace
from support.block_server import serving
from support.chain import Chain
from support.life import VIN, km, maintenance, read, register
from support.ranges import replay_over_ranges
from support.replaying import found, replay
from support.stores import archive_of, copied, entries, evidence, lax_block, life_store, tampered, with_signatures

from node.audit.report import ReplayReport
from node.audit.sources import StoreSource
from node.chain.block import decode_block, decode_commit
from node.codec import encode
from node.errors import Corrupted, OperatorError
from node.storage import schema
from node.storage.leveldb import LevelStore
from node.storage.snapshot import _decode_pairs, _Pairs, chunk_hash, decode_offer, decompressed
from node.storage.snapshot_files import snapshots_in, write_snapshot

pytestmark = pytest.mark.slow

EVERY = 3
"""The chain has 11 blocks, so there are four ranges: 1 to 3, 4 to 6, 7 to 9, 10 and 11."""
IN_ORDER, BACKWARDS = (0, 1, 2, 3), (3, 2, 1, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return life_store(tmp_path_factory.mktemp("life"))


@pytest.fixture(scope="module")
def snapshots(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those that a replay in one go has left."""
    work = tmp_path_factory.mktemp("work")
    report = replay_over_ranges("store", folder, work=work, every=EVERY)
    assert (None, 4) == (report.divergence, report.ranges)
    assert [3, 6, 9] == list(snapshots_in(work / "snapshots"))
    return work / "snapshots"


def both(path: Path, snapshots: Path, order: tuple[int, ...] = BACKWARDS) -> ReplayReport:
    """The report of a store over ranges, after it was compared with the one in order."""
    in_order = replay(StoreSource(path))
    ranges = replay_over_ranges("store", path, snapshots, order=order)
    for field in ("divergence", "height", "block_id", "state_root", "types", "compared", "unaudited_keys"):
        assert getattr(in_order, field) == getattr(ranges, field), field
    return ranges


# --- chains that hold -----------------------------------------------------------------------------------------
def test_a_store_holds_in_whatever_order_its_ranges_are_done(folder: Path, snapshots: Path) -> None:
    for order in (IN_ORDER, BACKWARDS, (2, 0, 3, 1)):
        report = both(folder, snapshots, order)
        assert (None, 4, {}) == (report.divergence, report.ranges, report.snapshots_refused)
        assert report.compared["index entry"] > 15


def test_an_archive_holds_up_to_any_height(folder: Path, snapshots: Path, tmp_path: Path) -> None:
    archive = archive_of(folder, tmp_path / "a.bmw", tmp_path / "scratch")
    for to, order in ((11, BACKWARDS), (9, (2, 1, 0)), (5, (1, 0))):
        report = replay_over_ranges("archive", archive, snapshots, order=order, to=to)
        assert (None, to, len(order)) == (report.divergence, report.height, report.ranges)


def test_validator_sets_change_between_and_within_ranges(folder: Path, snapshots: Path, tmp_path: Path) -> None:
    chain = Chain(kv=LevelStore(copied(folder, tmp_path / "going-on")))
    chain.produce(evidence=(evidence(chain, "workshop-berlin"),))
    for _ in range(2):
        chain.produce()
    assert 3 == len(chain.store.head().validators)
    chain.store.kv.close()
    work = tmp_path / "work"
    assert replay_over_ranges("store", tmp_path / "going-on", work=work, every=1).divergence is None
    report = both(tmp_path / "going-on", work / "snapshots", tuple(reversed(range(14))))
    assert (None, 14, 2) == (report.divergence, report.ranges, report.compared["validator set"])


# --- a disk that lies ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("prefix", [b"Svehicle/", b"K", b"R", b"T", b"I", b"V", b"W", b"Xvehicle/", b"Q", b"Yvehicle/"])
def test_every_family_of_a_store_is_compared(folder: Path, snapshots: Path, tmp_path: Path, prefix: bytes) -> None:
    stored = entries(folder, tmp_path / "scratch")
    key = min(key for key in stored if key.startswith(prefix))
    for name, puts, deletes in (
        ("changed", {key: stored[key] + b"\x00"}, ()),
        ("missing", {}, (key,)),
        ("extra", {key + b"0": stored[key]}, ()),
    ):
        report = both(tampered(folder, tmp_path / name, puts, deletes), snapshots)
        assert (11, -1) == found(report)[:2]


def test_of_several_families_the_same_is_named(folder: Path, snapshots: Path, tmp_path: Path) -> None:
    stored = entries(folder, tmp_path / "scratch")
    keys = [min(key for key in stored if key.startswith(prefix)) for prefix in (b"Y", b"X", b"T", b"S")]
    for number in range(1, len(keys) + 1):
        puts = {key: stored[key] + b"\x00" for key in keys[:number]}
        both(tampered(folder, tmp_path / str(number), puts), snapshots)


def test_of_several_blocks_the_first_is_named(folder: Path, snapshots: Path, tmp_path: Path) -> None:
    """Whatever range is done first, and also where a certificate is missing at the height of a snapshot."""
    stored = entries(folder, tmp_path / "scratch")
    block = decode_block(stored[schema.block_key(11)])
    last = {schema.block_key(11): encode(replace(block, header=replace(block.header, state_root=bytes(32))))}
    forged = encode(with_signatures(decode_commit(stored[schema.commit_key(8)]), s0=b"", s1=b""))
    middle = last | {schema.commit_key(8): forged}
    cases = [
        (last, (), 11, "commit_certificate"), (middle, (), 8, "commit_certificate"),
        (middle, (schema.commit_key(6),), 6, "commit_missing"), (middle, (schema.block_key(2),), 2, "block_missing"),
    ]  # fmt: skip
    for number, (puts, deletes, height, rule) in enumerate(cases):
        bad = tampered(folder, tmp_path / str(number), puts, deletes)
        assert (height, -1, rule) == found(both(bad, snapshots, IN_ORDER if number == 2 else BACKWARDS))


def test_a_guard_that_is_broken_by_certified_blocks_of_two_ranges(folder: Path, tmp_path: Path) -> None:
    chain = Chain(kv=LevelStore(copied(folder, tmp_path / "bad")))
    raws = [chain.sign("buyer-1", read(VIN, km(7_100 + i), chain.now, "reading")) for i in range(2)]
    first = lax_block(chain, chain.sign("workshop-berlin", maintenance(chain, 7_000)), raws[0]).header.height
    write_snapshot(tmp_path / "snapshots", first, chain.store.kv.snapshot(), chain.genesis_hash)
    lax_block(chain, raws[1])
    chain.store.kv.close()
    report = both(tmp_path / "bad", tmp_path / "snapshots", (1, 0))
    assert (first, 1, "role_missing") == found(report)
    assert report.divergence is not None and report.divergence.txid == chain.check(raws[0]).txid


def test_a_damaged_archive_counts_after_what_is_before_it(folder: Path, snapshots: Path, tmp_path: Path) -> None:
    archive = archive_of(folder, tmp_path / "a.bmw", tmp_path / "scratch")
    raw = bytearray(archive.read_bytes())
    raw[-60] ^= 1
    archive.write_bytes(raw)
    with pytest.raises(Corrupted, match="segment 0, heights 1 to 11"):
        replay_over_ranges("archive", archive, snapshots, order=IN_ORDER)


# --- snapshots that lie ----------------------------------------------------------------------------------------
def with_changed_pairs(snapshot: Path, change: Callable[[bytes, bytes], bytes | None]) -> None:
    """A liar's snapshot of a true header: its manifest names the changed chunk."""
    offer, chunk = decode_offer((snapshot / "offer").read_bytes()), snapshot / "00000"
    pairs = [(k, change(k, v)) for k, v in _decode_pairs(decompressed(chunk.read_bytes(), 2**21)).pairs]
    kept = tuple((k, v) for k, v in pairs if v is not None)
    data = zstandard.ZstdCompressor().compress(encode(_Pairs(kept)))
    chunk.write_bytes(data)
    manifest = replace(offer.manifest, chunks=(chunk_hash(data),), entries=len(kept))
    (snapshot / "offer").write_bytes(encode(replace(offer, manifest=manifest)))


@pytest.mark.parametrize("family", [b"Svehicle/", b"R", b"W"])
@pytest.mark.parametrize("is_dropped", [False, True])
def test_a_snapshot_with_other_content_is_refused_and_the_chain_holds_without_it(
    folder: Path, snapshots: Path, tmp_path: Path, family: bytes, is_dropped: bool
) -> None:
    def change(key: bytes, value: bytes) -> bytes | None:
        if not key.startswith(family):
            return value
        return None if is_dropped else value[:-1] + bytes([value[-1] ^ 1])

    lying = copied(snapshots, tmp_path / "lying")
    with_changed_pairs(lying / "6", change)
    report = replay_over_ranges("store", folder, lying, order=BACKWARDS)
    assert (None, 3) == (report.divergence, report.ranges)
    assert [6] == list(report.snapshots_refused)
    assert replay(StoreSource(folder)).compared == report.compared


def test_snapshots_of_another_branch_and_damaged_ones_are_refused(
    folder: Path, snapshots: Path, tmp_path: Path
) -> None:
    chain = Chain(kv=LevelStore(copied(folder, tmp_path / "fork")))
    chain.do("bmw", register("WBA8E9G50GNU12347"))
    chain.produce()
    chain.store.kv.close()
    other = Chain(kv=LevelStore(copied(folder, tmp_path / "other")))
    for _ in range(2):
        other.produce()
    other.store.kv.close()
    work = tmp_path / "work"
    assert replay_over_ranges("store", tmp_path / "fork", work=work, every=4).divergence is None
    assert [4, 8, 12] == list(snapshots_in(work / "snapshots"))
    (work / "snapshots" / "4" / "00000").write_bytes(b"")
    (work / "snapshots" / "8" / "offer").write_bytes(b"\xc1")
    report = both(tmp_path / "other", work / "snapshots", (1, 0))
    assert (None, 1, [4, 8, 12]) == (report.divergence, report.ranges, list(report.snapshots_refused))
    assert "another block" in report.snapshots_refused[12]


# --- a node that gives two answers -----------------------------------------------------------------------------
def test_ranges_that_do_not_join(folder: Path, tmp_path: Path) -> None:
    """Both branches are certified. The first range is read from one, the second starts from a snapshot of the other."""
    one = Chain(kv=LevelStore(copied(folder, tmp_path / "one")))
    other = Chain(kv=LevelStore(copied(folder, tmp_path / "other")))
    one.do("bmw", register("WBA8E9G50GNU12346"))
    other.do("bmw", register("WBA8E9G50GNU12347"))
    for chain in (one, other):
        chain.produce()
    branches = [{h: encode(chain.store.committed(h)) for h in range(1, 14)} for chain in (one, other)]
    for chain in (one, other):
        chain.store.kv.close()
    work = tmp_path / "work"
    assert replay_over_ranges("store", tmp_path / "other", work=work, every=12).divergence is None
    asked: list[int] = []

    def answer(height: int) -> bytes:
        """The first time that block 12 is asked for, to see whose snapshot it is, it is the other branch's."""
        asked.append(height)
        return branches[0 if height == 12 and asked.count(12) > 1 else 1][height]

    with serving(answer, 13, one) as url:
        report = replay_over_ranges("node", url, work / "snapshots", order=(0, 1))
    assert (12, -1, "range_join") == found(report)
    with serving(branches[1].__getitem__, 13, one) as url:
        joined = replay_over_ranges("node", url, work / "snapshots", order=(1, 0))
    assert ((13, -1, "claimed_head"), 2) == (found(joined), joined.ranges)


# --- going on --------------------------------------------------------------------------------------------------
def test_what_is_finished_is_not_done_again(folder: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    first = replay_over_ranges("store", folder, work=work, every=EVERY)
    for name in ("6-9", "9-11"):
        (work / "ranges" / name).unlink()
    again = replay_over_ranges("store", folder, work=work, every=EVERY)
    assert (4, 2) == (again.ranges, again.ranges_resumed)
    assert (first.divergence, first.state_root, first.compared) == (again.divergence, again.state_root, again.compared)


def test_without_the_snapshot_to_go_on_from_the_range_before_is_done_again(folder: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    replay_over_ranges("store", folder, work=work, every=EVERY)
    (work / "ranges" / "6-9").unlink()
    (work / "snapshots" / "6").rename(tmp_path / "away")
    again = replay_over_ranges("store", folder, work=work)
    assert (None, 3, 2) == (again.divergence, again.ranges, again.ranges_resumed)


def test_a_divergence_is_found_again_after_an_interruption(folder: Path, tmp_path: Path) -> None:
    bad = tampered(folder, tmp_path / "bad", {}, (schema.commit_key(8),))
    for resumed in (0, 2):
        report = replay_over_ranges("store", bad, work=tmp_path / "work", every=EVERY)
        assert ((8, -1, "commit_missing"), resumed) == (found(report), report.ranges_resumed)
        assert 7 == report.height


def test_a_work_folder_is_for_one_replay(folder: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    replay_over_ranges("store", folder, work=work, to=7)
    with pytest.raises(OperatorError, match="to 7"):
        replay_over_ranges("store", folder, work=work, to=8)
    with pytest.raises(OperatorError, match="name another folder"):
        replay_over_ranges("store", copied(folder, tmp_path / "copy"), work=work)
    assert 7 == replay_over_ranges("store", folder, work=work).height
    (work / "ranges" / "0-7").write_bytes(b"{")
    with pytest.raises(OperatorError, match="is damaged"):
        replay_over_ranges("store", folder, work=work)


def test_an_archive_that_is_exchanged_is_another_audit(folder: Path, tmp_path: Path) -> None:
    path, work = tmp_path / "a.bmw", tmp_path / "work"
    archive_of(folder, path, tmp_path / "scratch")
    replay_over_ranges("archive", path, work=work, every=EVERY)
    archive_of(folder, path, tmp_path / "scratch", last=10)
    with pytest.raises(OperatorError, match="has changed"):
        replay_over_ranges("archive", path, work=work)
