"""A chain that newer software has brought across the activation of ruleset 2, and how it looks to the present one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from node.chain.block import Committed
from node.storage import schema
from node.txtypes.chain.actions import RulesetActivate
from node.txtypes.chain.governance import GovernancePropose, GovernanceVote
from support.chain import Chain
from support.life import VIN, accident, km, read, register
from support.memory_store import MemoryStore
from support.newer_software import NEWER_SERVICE, FirmwareCheck, newer_software, ruleset_2

WORKSHOP = "workshop-berlin"
VOTERS = ("dealer-munich", "dealer-shanghai", WORKSHOP)
OTHER_VIN = VIN[:-1] + "6"


def activation(height: int, ruleset_hash: bytes = b"") -> RulesetActivate:
    """The action that makes ruleset 2 begin, or another build's."""
    return RulesetActivate(2, height, ruleset_hash or ruleset_2().hash)


def activate(chain: Chain, action: RulesetActivate) -> int:
    """Decide it, and go on until its height is next; its height."""
    height = action.height
    proposal = chain.do("bmw", GovernancePropose(action))
    for name in VOTERS:
        if not chain.store.head().params.next_ruleset:
            chain.do(name, GovernanceVote(proposal, True))
    while chain.store.height() < height - 1:
        chain.produce()
    assert chain.store.head().params.next_ruleset == 2
    return height


def inspection(chain: Chain, value: int = 200, vin: str = VIN) -> bytes:
    """A signed transaction of the type that only newer software has a class for."""
    return chain.sign(WORKSHOP, FirmwareCheck(vin, NEWER_SERVICE, km(value), chain.now))


@dataclass(frozen=True)
class Crossed:
    """`height`: of the first block that is judged by ruleset 2."""

    chain: Chain
    height: int

    def store(self, *, schema_version: int = 0) -> MemoryStore:
        """A copy of the newer software's store, its schema version another one where asked for."""
        kv = MemoryStore(dict(self.chain.store.kv.scan(b"", b"\xff" * 64)))
        if schema_version:
            kv.write({schema.META_SCHEMA: schema_version.to_bytes(4, "big")}, [])
        return kv

    def committed(self, height: int) -> Committed:
        found = self.chain.store.committed(height)
        assert found is not None, "the chain has it"
        return found


@cache
def crossed() -> Crossed:
    """Two cars with readings before the activation; afterwards an inspection and an accident of the first."""
    with newer_software():
        chain = Chain()
        chain.produce(*(chain.sign("bmw", register(vin)) for vin in (VIN, OTHER_VIN)))
        for vin in (VIN, OTHER_VIN):
            chain.do(WORKSHOP, read(vin, km(100), chain.now, "reading"))
        chain.do(WORKSHOP, accident(chain))
        height = activate(chain, activation(chain.store.height() + 5))
        chain.produce(inspection(chain), chain.sign(WORKSHOP, accident(chain, 210)))
        chain.produce()
    return Crossed(chain, height)
