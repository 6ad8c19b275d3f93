"""Maintenance of validators during the faults: pause and resume, rotate the consensus key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.ledger.body import TransactionBody
from node.txtypes.chain.actions import ValidatorSetPower
from node.txtypes.chain.validator_set import ValidatorPause, ValidatorResume, possession_bytes

if TYPE_CHECKING:
    from support.simulation.node import SimulatedNode
    from support.simulation.world import World

PAUSE_MS = 4_000
AGAIN_MS = 2_000
ATTEMPTS_MAX = 10
LOOK_MS = 300


class Upkeep:
    """For governance, a pause counts as a loss of power. Faulty validators neither pause nor rotate."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rotations = 0

    def pause(self, node: SimulatedNode) -> None:
        world = self._world
        if node.is_faulty or not world.governance.may_fall(node.index, 0):
            return
        self._ask(ValidatorPause(), node, 1)
        world.later(PAUSE_MS, self._ask, ValidatorResume(), node, ATTEMPTS_MAX)

    def _ask(self, body: TransactionBody, node: SimulatedNode, attempts: int) -> None:
        """Submit to any node: the validator itself may be down."""
        world = self._world
        able = [other for other in world.honest() if other.is_up]
        if able:
            world.submissions.submit(world.chance("upkeep").choice(able), world.submissions.sign_for(body, node.name))
        if attempts > 1 and not world.injector.is_over:
            world.later(AGAIN_MS, self._ask, body, node, attempts - 1)

    def rotate(self, node: SimulatedNode) -> None:
        """Governance sets a new consensus key; the operator restarts the validator with it once it is in force."""
        world, power = self._world, self._world.options.powers[node.index]
        if node.is_faulty or not power:
            return
        self._rotations += 1
        key = dev_key("consensus", f"{node.name}-{self._rotations}")
        proof = key.sign(possession_bytes(world.genesis_hash, node.address, key.public))
        world.governance.campaign_for(ValidatorSetPower(node.address, power, key.public, proof))
        world.later(LOOK_MS, self._look, node, key)

    def _look(self, node: SimulatedNode, key: PrivateKey) -> None:
        world = self._world
        entry = next((e for e in world.checks.sets[world.checks.top + 1] if e.address == node.address), None)
        if entry is not None and entry.consensus_key == key.public:
            world.faults["key_changed"] += 1
            node.change_key(key)
            return
        world.later(LOOK_MS, self._look, node, key)
