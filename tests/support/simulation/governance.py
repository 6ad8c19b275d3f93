"""Members that change who validates, while everything else goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.txtypes.chain.actions import Action, MemberSetStatus, ValidatorSetPower
from node.txtypes.chain.governance import PROPOSAL, GovernancePropose, GovernanceVote
from node.txtypes.chain.validator_set import possession_bytes

if TYPE_CHECKING:
    from support.simulation.node import SimulatedNode
    from support.simulation.world import World

CAMPAIGN_MS = 700
SALT = 1_000_000


class Governance:
    """Every change leaves the faulty below a third of power, whichever of the changes are carried out."""

    def __init__(self, world: World) -> None:
        self._world = world
        powers = world.options.powers
        self._lowest = {i: powers[i] for i in range(len(powers))}
        self._proposals: list[bytes] = []
        self._voted: set[tuple[str, bytes]] = set()
        self._count = 0

    def propose(self, number: int) -> None:
        """A change that is drawn."""
        action = self._draw(number)
        if action is not None:
            self.campaign_for(action)

    def campaign_for(self, action: Action) -> None:
        """By a random honest member. Proposals and votes are transactions like any other."""
        world = self._world
        chance = world.chance("governance")
        able = [node for node in world.honest() if node.is_up and world.options.powers[node.index]]
        if not able:
            return
        self._count += 1
        node = chance.choice(able)
        raw = world.submissions.sign(node.name, GovernancePropose(action), SALT + self._count)
        txid = world.checked(raw).txid
        world.submissions.submit(node, raw)
        if txid in world.submissions.accepted:
            self._proposals.append(txid)
            world.later(CAMPAIGN_MS, self._campaign, txid)

    def _draw(self, number: int) -> Action | None:
        world = self._world
        chance, powers = world.chance("governance"), world.options.powers
        index = chance.randrange(len(powers))
        node = world.nodes[index]
        old = powers[index]
        if not old:
            key = dev_key("consensus", node.name)
            proof = key.sign(possession_bytes(world.genesis_hash, node.address, key.public))
            return ValidatorSetPower(node.address, 10, key.public, proof)
        match chance.randrange(4):
            case 0:
                power = max(1, old + chance.randint(-9, 0))
            case 1:
                power = old if node.is_faulty else old + chance.randint(1, 9)
            case 2:
                power = 0
            case _:
                if not self.may_fall(index, 0):
                    return None
                return MemberSetStatus(node.address, "suspended", "security")
        if not self.may_fall(index, min(old, power)):
            return None
        return ValidatorSetPower(node.address, power, b"", b"")

    def may_fall(self, index: int, power: int) -> bool:
        world = self._world
        lowest = {**self._lowest, index: min(power, self._lowest[index])}
        faulty = sum(world.options.powers[node.index] for node in world.nodes[: len(lowest)] if node.is_faulty)
        honest = sum(p for i, p in lowest.items() if not world.nodes[i].is_faulty)
        if 3 * faulty >= faulty + honest or honest < 2 * max(world.options.powers):
            return False
        self._lowest = lowest
        return True

    def _campaign(self, proposal: bytes) -> None:
        """Every honest member that sees the proposal open votes for it, once."""
        world = self._world
        is_open = True
        for node in world.honest():
            if not node.is_up or not world.options.powers[node.index] or (node.name, proposal) in self._voted:
                continue
            raw = node.running.store.state.get(PROPOSAL.key(proposal))
            if raw is None:
                continue
            is_open = PROPOSAL.decode(raw).status == "open"
            if is_open and address_of(node.account.public) not in PROPOSAL.decode(raw).yes:
                self._vote(node, proposal)
        if is_open and not world.injector.is_over:
            world.later(CAMPAIGN_MS, self._campaign, proposal)

    def _vote(self, node: SimulatedNode, proposal: bytes) -> None:
        world = self._world
        salt = 2 * SALT + 100 * node.index + self._proposals.index(proposal)
        raw = world.submissions.sign(node.name, GovernanceVote(proposal, True), salt)
        world.submissions.submit(node, raw)
        if world.checked(raw).txid in world.submissions.accepted:
            self._voted.add((node.name, proposal))
