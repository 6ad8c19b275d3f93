"""What a light client has verified before: it is kept, never contradicted, never goes back, and grows old."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.chain import START_MS, Chain
from support.light import ChainSource, born, edit, light_client, signatures_of, verified

from node.chain.trust import TRUSTING_PERIOD_MS, Conflict, RootTooOld
from node.errors import InvalidCertificate, OperatorError
from wallet.light import CLOCK_AHEAD_MAX_MS, BehindTrust, TrustStore


def test_a_fork_of_the_verified_height_is_a_conflict(tmp_path: Path) -> None:
    one, other = born(), born()
    one.produce()
    other.now += 1
    other.produce()
    verified(light_client(ChainSource(one), tmp_path))
    with pytest.raises(Conflict, match="fork or a false node"):
        verified(light_client(ChainSource(other), tmp_path))


def test_a_block_that_does_not_build_on_the_verified_one_is_a_conflict(tmp_path: Path) -> None:
    one, other = born(), born()
    one.produce()
    other.now += 1
    other.produce()
    other.produce()
    verified(light_client(ChainSource(one), tmp_path))
    with pytest.raises(Conflict, match="does not build on"):
        verified(light_client(ChainSource(other), tmp_path))


def test_a_node_that_is_behind_is_not_believed(tmp_path: Path) -> None:
    ahead, behind = born(), born()
    ahead.produce()
    verified(light_client(ChainSource(ahead), tmp_path))
    with pytest.raises(BehindTrust, match="wait until it has caught up"):
        verified(light_client(ChainSource(behind), tmp_path))


def test_another_quorum_for_the_same_block_is_no_conflict(tmp_path: Path) -> None:
    chain = born()
    verified(light_client(ChainSource(chain), tmp_path))
    other = ChainSource(chain, lambda a: edit(a, signatures=(b"", *signatures_of(a)[1:])))
    verified(light_client(other, tmp_path))


def test_old_roots_are_refused_unless_accepted(tmp_path: Path) -> None:
    source = ChainSource(born())
    late = START_MS + TRUSTING_PERIOD_MS + 1
    with pytest.raises(RootTooOld, match="--accept-old-root"):
        verified(light_client(source, tmp_path, now_ms=lambda: late))
    verified(light_client(source, tmp_path, now_ms=lambda: late, accept_old_root=True))


def test_a_header_from_the_future_is_refused(tmp_path: Path) -> None:
    source = ChainSource(born())
    head = source.chain.store.head().time_ms
    with pytest.raises(InvalidCertificate, match="check this clock"):
        verified(light_client(source, tmp_path, now_ms=lambda: head - CLOCK_AHEAD_MAX_MS - 1))
    verified(light_client(source, tmp_path, now_ms=lambda: head - CLOCK_AHEAD_MAX_MS))


def _break(path: Path, **fields) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    "fields", [{"genesis_hash": "00" * 32}, {"validators": "90"}, {"header": "90"}, {"header": 7}, {"validators": "zz"}]
)
def test_a_broken_store_names_its_mend(fields: dict, tmp_path: Path) -> None:
    source = ChainSource(born())
    verified(light_client(source, tmp_path))
    _break(tmp_path / "light.json", **fields)
    with pytest.raises(OperatorError, match="delete it"):
        light_client(source, tmp_path)


def test_the_store_never_goes_back(tmp_path: Path) -> None:
    older, newer = born(), born()
    slow = light_client(ChainSource(older), tmp_path)
    newer.produce()
    verified(light_client(ChainSource(newer), tmp_path))
    verified(slow)
    kept = TrustStore(tmp_path / "light.json", newer.genesis_hash).load()
    assert kept is not None
    assert newer.store.height() == kept.height
    assert [] == [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"]


def kept_height(path: Path, chain: Chain) -> int:
    kept = TrustStore(path / "light.json", chain.genesis_hash).load()
    assert kept is not None
    return kept.height


def test_what_is_kept_goes_on_with_every_verification(tmp_path: Path) -> None:
    chain = born()
    light = light_client(ChainSource(chain), tmp_path)
    for _ in range(2):
        chain.produce()
        verified(light)
        assert chain.store.height() == kept_height(tmp_path, chain)


def test_two_at_once_may_keep_the_same_block_but_not_two_of_one_height(tmp_path: Path) -> None:
    one, other = born(), born()
    other.now += 1
    for chain in (one, other):
        chain.produce()
    first, second, third = (light_client(ChainSource(chain), tmp_path) for chain in (one, one, other))
    for light in (first, second):
        verified(light)
    with pytest.raises(Conflict, match="fork or a false node"):
        verified(third)


def test_a_store_that_cannot_be_read_or_written_names_its_mend(tmp_path: Path) -> None:
    source = ChainSource(born())
    (tmp_path / "light.lock").mkdir()
    with pytest.raises(OperatorError, match=r"cannot write .* check its folder"):
        verified(light_client(source, tmp_path))
    (tmp_path / "light.json").mkdir()
    with pytest.raises(OperatorError, match=r"cannot read .* check its owner and mode"):
        light_client(source, tmp_path)
