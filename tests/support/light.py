"""Nodes that a light client asks: honest ones, and what they can be made to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from node.chain.block import Commit, Committed, Header, block_id_of, decode_commit, decode_header
from node.chain.validators import ValidatorSet
from node.chain.vote import vote_sign_bytes
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.errors import Malformed
from node.txtypes.chain.actions import ValidatorSetPower
from node.txtypes.chain.governance import PROPOSAL, GovernancePropose, GovernanceVote
from node.txtypes.chain.validator_set import ValidatorEntry, possession_bytes
from node.txtypes.vehicle.vehicle import VEHICLE
from support.chain import Chain, address
from support.life import VIN, Life, register
from support.stages import fork
from wallet.client import StateAnswer, StateEntry
from wallet.light import LightClient

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

    def states(self, keys: Sequence[bytes], height: int = 0) -> StateAnswer:
        store, at = self.chain.store, height or self.chain.store.height()
        block, commit, state = store.block(at), store.commit(at), store.at(at).state
        assert block is not None and commit is not None
        entries = tuple(StateEntry(key, state.get(key), store.proof(key, at)) for key in keys)
        return self.tamper(StateAnswer(entries, encode(block.header), encode(commit)))


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


def edit(answer: StateAnswer, header: Callable[[Header], Header] | None = None, **commit) -> StateAnswer:
    source_header = decoded(answer)[0]
    made = header(source_header) if header else source_header
    return changed(answer, header=encode(made), commit=encode(replace(decoded(answer)[1], **commit)))


def with_entry(answer: StateAnswer, **changes: Any) -> StateAnswer:
    """The answer with its first entry changed."""
    first, *others = answer.entries
    return changed(answer, entries=(changed(first, **changes), *others))


def verified(light: LightClient, key: bytes = KEY) -> tuple[bytes | None, Header]:
    """One state value, verified."""
    values, header = light.verified_states((key,))
    return values[key], header


def decoded(answer: StateAnswer) -> tuple[Header, Commit]:
    return decode_header(answer.header), decode_commit(answer.commit)


def signatures_of(answer: StateAnswer) -> tuple[bytes, ...]:
    return decoded(answer)[1].signatures


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

    def states(self, keys: Sequence[bytes], height: int = 0) -> StateAnswer:
        answer = super().states(keys, height)
        header, commit = self._forge(decoded(answer)[0])
        return changed(answer, header=encode(header), commit=encode(commit))


def usurping(chain: Chain, entries: list[ValidatorEntry]) -> Usurpers:
    return Usurpers(chain, members=tuple(sorted(entries, key=lambda e: e.address)))


def liars() -> list[ValidatorEntry]:
    return [ValidatorEntry(bytes([i]) * 20, dev_key("consensus", f"liar-{i}").public, 100) for i in range(4)]


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
