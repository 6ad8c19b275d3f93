"""The light client believes what the validators decided, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import replace as changed
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.chain import START_MS, Chain, address
from support.life import VIN, Life, register
from support.stages import fork

from node.chain import trust
from node.chain.block import Commit, Committed, Header, block_id_of, decode_commit, decode_header
from node.chain.trust import TRUSTING_PERIOD_MS, Conflict, RootTooOld, genesis_trust
from node.chain.validators import ValidatorSet
from node.chain.vote import vote_sign_bytes
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.crypto.state_tree import StateProof
from node.errors import InvalidCertificate, InvalidProof, Malformed, OperatorError, Rejected
from node.txtypes.governance import PROPOSAL, GovernancePropose, GovernanceVote, ValidatorSetPower
from node.txtypes.validators import VALIDATORS, ValidatorEntry, possession_bytes
from node.txtypes.vehicle import VEHICLE
from wallet.client import StateAnswer
from wallet.light import CLOCK_AHEAD_MAX_MS, BehindTrust, LightClient, TrustStore

KEY = VEHICLE.key(VIN)


@dataclass
class ChainSource:
    """A node that serves `chain`, and lies where a test says so."""

    chain: Chain
    tamper: Callable[[StateAnswer], StateAnswer] = lambda answer: answer
    serves_old_sets: bool = True
    asked: list[int] = field(default_factory=list)

    def committed(self, height: int) -> Committed:
        self.asked.append(height)
        found = self.chain.store.committed(height)
        assert found is not None
        return found

    def validators(self, height: int) -> tuple[ValidatorEntry, ...]:
        if not self.serves_old_sets:
            raise Malformed("no such query parameter")
        return self.chain.store.validators(height).entries

    def state(self, key: bytes) -> StateAnswer:
        store = self.chain.store
        block, commit = store.block(store.height()), store.commit(store.height())
        assert block is not None and commit is not None
        value = store.state.get(key)
        return self.tamper(StateAnswer(key, value, store.proof(key), encode(block.header), encode(commit)))


def light_client(source: ChainSource, home: Path, **settings) -> LightClient:
    settings.setdefault("now_ms", lambda: source.chain.now)
    return LightClient(source.chain.genesis, home / "light.json", source, **settings)


@cache
def _born() -> Chain:
    chain = Chain()
    Life(chain).to("wholesale")
    return chain


def born() -> Chain:
    return fork(_born())


# --- what is true ---
def test_value_and_absence_are_proven(tmp_path: Path) -> None:
    source = ChainSource(born())
    light = light_client(source, tmp_path)
    value, header = light.verified_state(KEY)
    assert source.chain.store.state.get(KEY) == value
    assert source.chain.store.height() == header.height
    assert (None, header) == light.verified_state(VEHICLE.key("WBA8E9G50GNU99999"))
    assert [] == source.asked
    report = light.report()
    assert (0, source.chain.genesis_hash, 0) == (report.root_height, report.root_id, report.set_changes)


def test_the_newest_header_is_the_next_root(tmp_path: Path) -> None:
    source = ChainSource(born())
    light_client(source, tmp_path).verified_state(KEY)
    height = source.chain.store.height()
    source.chain.produce()
    later = light_client(source, tmp_path)
    assert height + 1 == later.verified_state(KEY)[1].height
    assert height == later.report().root_height


# --- forged proofs ---
def with_value(answer: StateAnswer) -> StateAnswer:
    assert answer.value is not None
    return changed(answer, value=answer.value[:-1] + bytes([answer.value[-1] ^ 1]))


def with_sibling(answer: StateAnswer) -> StateAnswer:
    others = answer.proof.siblings[1:]
    return changed(answer, proof=StateProof(answer.proof.entries, (bytes(31) + b"\x01", *others)))


@pytest.mark.parametrize(
    "tamper",
    [
        with_value,
        with_sibling,
        lambda answer: changed(answer, value=None),
        lambda answer: changed(answer, proof=StateProof(b"", answer.proof.siblings)),
        lambda answer: changed(answer, proof=StateProof(answer.proof.entries, answer.proof.siblings[:-1])),
        lambda answer: changed(answer, proof=StateProof(answer.proof.entries + b"\x00", answer.proof.siblings)),
        lambda answer: changed(answer, value=None, proof=StateProof(b"", (bytes(32),) * 6)),
    ],
)
def test_forged_proofs(tamper: Callable[[StateAnswer], StateAnswer], tmp_path: Path) -> None:
    with pytest.raises(InvalidProof):
        light_client(ChainSource(born(), tamper), tmp_path).verified_state(KEY)


# --- forged headers and certificates ---
def edit(answer: StateAnswer, header: Callable[[Header], Header] | None = None, **commit) -> StateAnswer:
    source_header = _decode(answer)[0]
    made = header(source_header) if header else source_header
    return changed(answer, header=encode(made), commit=encode(replace(_decode(answer)[1], **commit)))


def _decode(answer: StateAnswer) -> tuple[Header, Commit]:
    return decode_header(answer.header), decode_commit(answer.commit)


def signatures_of(answer: StateAnswer) -> tuple[bytes, ...]:
    return _decode(answer)[1].signatures


def flip(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (lambda a: edit(a, lambda h: replace(h, state_root=bytes(32))), "certificate is for another block"),
        (lambda a: edit(a, height=1), "certificate is for another block"),
        (lambda a: edit(a, signatures=(*signatures_of(a)[:2], b"", b"")), "not more than two thirds"),
        (lambda a: edit(a, signatures=(flip(signatures_of(a)[0]), *signatures_of(a)[1:])), "does not verify"),
        (lambda a: edit(a, signatures=signatures_of(a)[:3]), "3 signatures for 4 validators"),
        (lambda a: edit(a, round=1), "does not verify"),
    ],
)
def test_forged_certificates(tamper: Callable[[StateAnswer], StateAnswer], says: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidCertificate, match=says):
        light_client(ChainSource(born(), tamper), tmp_path).verified_state(KEY)
    assert not (tmp_path / "light.json").exists()


def test_three_of_four_signatures_are_enough(tmp_path: Path) -> None:
    source = ChainSource(born(), lambda a: edit(a, signatures=(b"", *signatures_of(a)[1:])))
    light_client(source, tmp_path).verified_state(KEY)


@dataclass
class Usurpers(ChainSource):
    """Serves headers of a made-up chain, decided by a made-up set that it hands out willingly."""

    members: tuple[ValidatorEntry, ...] = ()

    def _forge(self, header: Header) -> tuple[Header, Commit]:
        forged = ValidatorSet(self.members)
        made = replace(header, validators_hash=forged.hash, next_validators_hash=forged.hash)
        block_id = block_id_of(made, self.chain.genesis_hash)
        message = vote_sign_bytes(self.chain.genesis_hash, "precommit", made.height, 0, block_id)
        keys = {dev_key("consensus", f"liar-{i}").public: dev_key("consensus", f"liar-{i}") for i in range(4)}
        signed = (keys[e.consensus_key].sign(message) if e.consensus_key in keys else b"" for e in self.members)
        return made, Commit(made.height, 0, block_id, tuple(signed))

    def committed(self, height: int) -> Committed:
        found = super().committed(height)
        header, commit = self._forge(found.block.header)
        return Committed(replace(found.block, header=header), commit)

    def validators(self, height: int) -> tuple[ValidatorEntry, ...]:
        return self.members

    def state(self, key: bytes) -> StateAnswer:
        answer = super().state(key)
        header, commit = self._forge(_decode(answer)[0])
        return changed(answer, header=encode(header), commit=encode(commit))


def usurping(chain: Chain, entries: list[ValidatorEntry]) -> Usurpers:
    return Usurpers(chain, members=tuple(sorted(entries, key=lambda e: e.address)))


def liars() -> list[ValidatorEntry]:
    return [ValidatorEntry(bytes([i]) * 20, dev_key("consensus", f"liar-{i}").public, 100) for i in range(4)]


def test_a_set_of_strangers_decides_nothing(tmp_path: Path) -> None:
    source = usurping(born(), liars())
    with pytest.raises(InvalidCertificate, match="not decided by the set that height 0 names"):
        light_client(source, tmp_path).verified_state(KEY)


def test_naming_honest_validators_without_their_signatures_helps_nobody(tmp_path: Path) -> None:
    chain = born()
    source = usurping(chain, [*liars(), *genesis_trust(chain.genesis).validators.entries])
    with pytest.raises(InvalidCertificate):
        light_client(source, tmp_path).verified_state(KEY)


def test_honest_addresses_with_foreign_keys_help_nobody(tmp_path: Path) -> None:
    chain = born()
    honest = genesis_trust(chain.genesis).validators.entries
    source = usurping(
        chain, [replace(e, consensus_key=liar.consensus_key) for e, liar in zip(honest, liars(), strict=True)]
    )
    with pytest.raises(InvalidCertificate):
        light_client(source, tmp_path).verified_state(KEY)


def test_another_chain_is_not_this_one(tmp_path: Path) -> None:
    source = ChainSource(born())
    other = replace(source.chain.genesis, chain_id="another-chain")
    light = LightClient(other, tmp_path / "light.json", source, now_ms=lambda: source.chain.now)
    with pytest.raises(InvalidCertificate):
        light.verified_state(KEY)


# --- sets that change ---
def set_power(chain: Chain, name: str, power: int) -> None:
    """Proposed and voted for by the validators there are, one block each, until it is carried out."""
    key, possession = b"", b""
    if power:
        consensus = dev_key("consensus", name)
        key = consensus.public
        possession = consensus.sign(possession_bytes(chain.genesis_hash, address(name), key))
    names = {address(known): known for known in (*OLD, *NEW)}
    first, *others = [names[e.address] for e in chain.store.head().validators.entries]
    proposal = chain.do(first, GovernancePropose(ValidatorSetPower(address(name), power, key, possession)))
    for voter in others:
        if chain.state(PROPOSAL, proposal).status == "open":
            chain.do(voter, GovernanceVote(proposal, True))
    assert "carried_out" == chain.state(PROPOSAL, proposal).status


OLD = ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin")
NEW = ("inspector-1", "insurer-1", "registrar-1", "police-1")


@cache
def _handed_on() -> Chain:
    """Every validator of genesis has been replaced, one after the other."""
    chain = Chain()
    chain.do("bmw", register())
    for name in NEW:
        set_power(chain, name, 10)
    for name in OLD:
        set_power(chain, name, 0)
        for _ in range(3):
            chain.produce()
    return chain


def handed_on() -> Chain:
    return fork(_handed_on())


def test_the_set_is_followed_to_one_that_shares_no_validator(tmp_path: Path) -> None:
    source = ChainSource(handed_on())
    assert sorted(map(address, NEW)) == [e.address for e in source.chain.store.head().validators.entries]
    light = light_client(source, tmp_path)
    value, header = light.verified_state(KEY)
    assert source.chain.store.state.get(KEY) == value
    assert source.chain.store.height() == header.height
    assert 0 < len(source.asked) < header.height
    assert light.report().set_changes > 0


def test_without_old_sets_the_way_is_not_invented(tmp_path: Path) -> None:
    source = ChainSource(handed_on(), serves_old_sets=False)
    with pytest.raises(InvalidCertificate, match="does not give the validator set"):
        light_client(source, tmp_path).verified_state(KEY)


def test_a_header_of_another_height_than_asked_for_is_refused(tmp_path: Path) -> None:
    class Shifted(ChainSource):
        def committed(self, height: int) -> Committed:
            return super().committed(height - 1)

    with pytest.raises(InvalidCertificate, match="the node gives another"):
        light_client(Shifted(handed_on()), tmp_path).verified_state(KEY)


def test_only_so_many_headers_are_asked_for_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ChainSource(handed_on())
    light_client(source, tmp_path / "free").verified_state(KEY)
    monkeypatch.setattr(trust, "FETCHES_MAX", len(source.asked))
    light_client(source, tmp_path / "enough").verified_state(KEY)
    monkeypatch.setattr(trust, "FETCHES_MAX", trust.FETCHES_MAX - 1)
    with pytest.raises(InvalidCertificate, match="start from a newer root"):
        light_client(source, tmp_path / "too few").verified_state(KEY)


def test_one_change_needs_no_old_sets(tmp_path: Path) -> None:
    """The set of the head is in its state, and most of those who signed were trusted before."""
    chain = Chain()
    chain.do("bmw", register())
    set_power(chain, "workshop-berlin", 0)
    chain.produce()
    source = ChainSource(chain, serves_old_sets=False)
    light_client(source, tmp_path).verified_state(KEY)
    assert [] == source.asked


def test_the_set_that_the_head_itself_names_is_kept(tmp_path: Path) -> None:
    chain = Chain()
    chain.do("bmw", register())
    set_power(chain, "workshop-berlin", 0)
    source = ChainSource(chain)
    light_client(source, tmp_path).verified_state(KEY)
    kept = TrustStore(tmp_path / "light.json", chain.genesis_hash).load()
    assert kept is not None
    assert chain.store.head().validators == kept.validators
    chain.produce()
    light_client(source, tmp_path).verified_state(KEY)


def test_removed_validators_decide_nothing_any_more(tmp_path: Path) -> None:
    """Their keys may have been sold since: from a newer root they count for nothing."""
    chain = handed_on()
    light_client(ChainSource(chain), tmp_path).verified_state(KEY)
    height = chain.store.height()
    old = _decode(ChainSource(chain).state(KEY))[0]
    forged_set = genesis_trust(chain.genesis).validators

    def forge(answer: StateAnswer) -> StateAnswer:
        header = replace(
            old, height=height + 2, time_ms=old.time_ms + 5_000,
            validators_hash=forged_set.hash, next_validators_hash=forged_set.hash,
        )  # fmt: skip
        block_id = block_id_of(header, chain.genesis_hash)
        message = vote_sign_bytes(chain.genesis_hash, "precommit", header.height, 0, block_id)
        by_address = {address(name): dev_key("consensus", name) for name in OLD}
        signed = tuple(by_address[e.address].sign(message) for e in forged_set.entries)
        return changed(answer, header=encode(header), commit=encode(Commit(height + 2, 0, block_id, signed)))

    class Forger(ChainSource):
        def validators(self, height: int) -> tuple[ValidatorEntry, ...]:
            return forged_set.entries

    chain.produce()
    with pytest.raises(Rejected):
        light_client(Forger(chain, forge), tmp_path).verified_state(KEY)


# --- what was verified before ---
def test_a_fork_of_the_verified_height_is_a_conflict(tmp_path: Path) -> None:
    one, other = born(), born()
    one.produce()
    other.now += 1
    other.produce()
    light_client(ChainSource(one), tmp_path).verified_state(KEY)
    with pytest.raises(Conflict, match="fork or a false node"):
        light_client(ChainSource(other), tmp_path).verified_state(KEY)


def test_a_block_that_does_not_build_on_the_verified_one_is_a_conflict(tmp_path: Path) -> None:
    one, other = born(), born()
    one.produce()
    other.now += 1
    other.produce()
    other.produce()
    light_client(ChainSource(one), tmp_path).verified_state(KEY)
    with pytest.raises(Conflict, match="does not build on"):
        light_client(ChainSource(other), tmp_path).verified_state(KEY)


def test_a_node_that_is_behind_is_not_believed(tmp_path: Path) -> None:
    ahead, behind = born(), born()
    ahead.produce()
    light_client(ChainSource(ahead), tmp_path).verified_state(KEY)
    with pytest.raises(BehindTrust, match="wait until it has caught up"):
        light_client(ChainSource(behind), tmp_path).verified_state(KEY)


def test_another_quorum_for_the_same_block_is_no_conflict(tmp_path: Path) -> None:
    chain = born()
    light_client(ChainSource(chain), tmp_path).verified_state(KEY)
    other = ChainSource(chain, lambda a: edit(a, signatures=(b"", *signatures_of(a)[1:])))
    light_client(other, tmp_path).verified_state(KEY)


def test_old_roots_are_refused_unless_accepted(tmp_path: Path) -> None:
    source = ChainSource(born())
    late = START_MS + TRUSTING_PERIOD_MS + 1
    with pytest.raises(RootTooOld, match="--accept-old-root"):
        light_client(source, tmp_path, now_ms=lambda: late).verified_state(KEY)
    light_client(source, tmp_path, now_ms=lambda: late, accept_old_root=True).verified_state(KEY)


def test_a_header_from_the_future_is_refused(tmp_path: Path) -> None:
    source = ChainSource(born())
    head = source.chain.store.head().time_ms
    with pytest.raises(InvalidCertificate, match="check this clock"):
        light_client(source, tmp_path, now_ms=lambda: head - CLOCK_AHEAD_MAX_MS - 1).verified_state(KEY)
    light_client(source, tmp_path, now_ms=lambda: head - CLOCK_AHEAD_MAX_MS).verified_state(KEY)


def _break(path: Path, **fields) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    "fields", [{"genesis_hash": "00" * 32}, {"validators": "90"}, {"header": "90"}, {"header": 7}, {"validators": "zz"}]
)
def test_a_broken_store_names_its_mend(fields: dict, tmp_path: Path) -> None:
    source = ChainSource(born())
    light_client(source, tmp_path).verified_state(KEY)
    _break(tmp_path / "light.json", **fields)
    with pytest.raises(OperatorError, match="delete it"):
        light_client(source, tmp_path)


def test_the_store_never_goes_back(tmp_path: Path) -> None:
    older, newer = born(), born()
    slow = light_client(ChainSource(older), tmp_path)
    newer.produce()
    light_client(ChainSource(newer), tmp_path).verified_state(KEY)
    slow.verified_state(KEY)
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
        light.verified_state(KEY)
        assert chain.store.height() == kept_height(tmp_path, chain)


def test_two_at_once_may_keep_the_same_block_but_not_two_of_one_height(tmp_path: Path) -> None:
    one, other = born(), born()
    other.now += 1
    for chain in (one, other):
        chain.produce()
    first, second, third = (light_client(ChainSource(chain), tmp_path) for chain in (one, one, other))
    for light in (first, second):
        light.verified_state(KEY)
    with pytest.raises(Conflict, match="fork or a false node"):
        third.verified_state(KEY)


def test_a_store_that_cannot_be_read_or_written_names_its_mend(tmp_path: Path) -> None:
    source = ChainSource(born())
    (tmp_path / "light.lock").mkdir()
    with pytest.raises(OperatorError, match=r"cannot write .* check its folder"):
        light_client(source, tmp_path).verified_state(KEY)
    (tmp_path / "light.json").mkdir()
    with pytest.raises(OperatorError, match=r"cannot read .* check its owner and mode"):
        light_client(source, tmp_path)


@pytest.mark.parametrize("value", [None, b"\xc1", b"\x90"], ids=["none", "no msgpack", "nothing in it"])
def test_a_set_in_the_state_that_is_none_is_asked_for_by_height(value: bytes | None, tmp_path: Path) -> None:
    source = ChainSource(handed_on(), lambda a: changed(a, value=value) if a.key == VALIDATORS.key("set") else a)
    light_client(source, tmp_path).verified_state(KEY)
