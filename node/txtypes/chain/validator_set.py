"""The validator set as state, every rule by which power moves, and a validator's pause (docs/PROTOCOL.md, Governance).

A block's changes of the set are in force from the next height on.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.crypto.hashing import tagged
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, Family, fixed_ident
from node.ledger.fields import Address, Hash32, Height, PublicKey
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.members.member import AnyMember

Power = Annotated[int, Meta(ge=0, le=limits.POWER_MAX)]

NOT_A_VALIDATOR = Guard("not_a_validator", "the account is not a validator", "das Konto ist kein Validator",
                        "该账户不是验证者", is_permission=True)  # fmt: skip
POWER_ABOVE_THIRD = Guard("power_above_third", "no member may be raised above a third of the power",
                          "kein Mitglied darf über ein Drittel der Stimmkraft kommen",
                          "任何成员的权重不得超过三分之一")  # fmt: skip
POWER_MOVES_THIRD = Guard("power_moves_third", "one height may move less than a third of the power",
                          "eine Höhe darf weniger als ein Drittel der Stimmkraft bewegen",
                          "单个高度的权重变动须小于三分之一")  # fmt: skip
POWER_TOTAL = Guard("power_total", "the total power is out of bounds",
                    "die gesamte Stimmkraft liegt außerhalb der Grenzen", "总权重越界")  # fmt: skip
NOT_PAUSED = Guard("not_paused", "the validator has not paused", "der Validator pausiert nicht", "该验证者未暂停")


class ValidatorEntry(Value, frozen=True):
    """One validator of a set."""

    address: Address
    consensus_key: PublicKey
    power: Annotated[int, Meta(ge=1, le=limits.POWER_MAX)]


class ValidatorState(Value, tag=1, frozen=True):
    """The set in force after this height, ascending by address, power above 0; and the power this height has moved."""

    entries: tuple[ValidatorEntry, ...]
    moved_height: Height
    moved_from_total: int
    moved: int


class ValidatorRecord(Value, tag=1, frozen=True):
    """A member that is or was a validator. `admitted_height` is its newest (re-)admission: older evidence is void.

    `paused_power`: its power after a pause of its own; 0 where it has not paused.
    """

    consensus_key: PublicKey
    power: Power
    admitted_height: Height
    paused_power: Power


class KeyUse(Value, tag=1, frozen=True):
    """A consensus key serves one member, once ever."""

    member: Address


class EvidenceUse(Value, tag=1, frozen=True):
    """Evidence that was carried out at `height`."""

    height: Height


VALIDATORS = Family("validators", ValidatorState, ident=fixed_ident("set"))
VALIDATOR = Family(
    "validator", ValidatorRecord, ident=ADDRESS_IDENT, concerns=lambda ident, record: (f"account/{ident}",),
    event="validator",
    status=lambda record: "active" if record.power else "paused" if record.paused_power else "without power",
)  # fmt: skip
CONSENSUS_KEY = Family("consensus-key", KeyUse, ident=HASH_IDENT)
EVIDENCE = Family("evidence", EvidenceUse, ident=HASH_IDENT)


def possession_bytes(genesis_hash: bytes, member: bytes, consensus_key: bytes) -> bytes:
    """The message that a consensus key signs to prove possession at its admission."""
    return tagged("bmw/possession", genesis_hash + member + consensus_key)


def current(ledger: Ledger) -> ValidatorState:
    return ledger.the(VALIDATORS, "set")


def power_of(ledger: Ledger, address: bytes) -> int:
    return next((e.power for e in current(ledger).entries if e.address == address), 0)


def total_power(state: ValidatorState) -> int:
    return sum(entry.power for entry in state.entries)


def _moved(ledger: Ledger, state: ValidatorState) -> tuple[int, int]:
    """The total before this height, and the power that this height has moved so far."""
    is_moved = state.moved_height == ledger.block.height
    return (state.moved_from_total, state.moved) if is_moved else (total_power(state), 0)


def check_power_change(ledger: Ledger, address: bytes, power: int, *, is_return: bool = False) -> None:
    """Notes every rule that forbids giving `address` this power now. `is_return`: power that returns after a pause is
    measured against the total with it, as the pause was; else none of four equal validators could ever return."""
    state = current(ledger)
    total, old = total_power(state), power_of(ledger, address)
    after = total - old + power
    if not 1 <= after <= limits.POWER_MAX or (power and not old and len(state.entries) >= limits.VALIDATORS_MAX):
        ledger.unmet(POWER_TOTAL, to_text(address), after, f"1 to {limits.POWER_MAX}")
        return
    if power > old and 3 * power > after:
        ledger.unmet(POWER_ABOVE_THIRD, to_text(address), power, f"at most {after // 3}")
    base, moved = _moved(ledger, state)
    base, moved = max(base, after) if is_return else base, moved + abs(power - old)
    if 3 * moved >= base:
        ledger.unmet(POWER_MOVES_THIRD, to_text(address), moved, f"less than a third of {base}")


def set_power(ledger: Ledger, address: bytes, power: int, consensus_key: bytes = b"") -> None:
    """Give `address` this power from the next height on; a new key, or power after none, is a new admission."""
    record = ledger.get(VALIDATOR, address)
    key = consensus_key or (record.consensus_key if record else b"")
    assert key, "a validator has a consensus key"
    is_new = record is None or bool(consensus_key) or (power > 0 and not power_of(ledger, address))
    admitted = ledger.block.height + 1 if record is None or is_new else record.admitted_height
    ledger.put(VALIDATOR, address, ValidatorRecord(key, power, admitted, 0))
    if consensus_key:
        ledger.put(CONSENSUS_KEY, consensus_key, KeyUse(address))
    _move(ledger, address, power, key)


def paused_power(ledger: Ledger, address: bytes) -> int:
    record = ledger.get(VALIDATOR, address)
    return record.paused_power if record is not None else 0


def _move(ledger: Ledger, address: bytes, power: int, key: bytes) -> None:
    """Change the set, and record how much power this height has moved."""
    state, old = current(ledger), power_of(ledger, address)
    entries = [entry for entry in state.entries if entry.address != address]
    if power:
        entries.append(ValidatorEntry(address, key, power))
    ascending = tuple(sorted(entries, key=lambda entry: entry.address))
    base, moved = _moved(ledger, state)
    ledger.put(VALIDATORS, "set", ValidatorState(ascending, ledger.block.height, base, moved + abs(power - old)))


def punish(ledger: Ledger, address: bytes, evidence_id: Hash32) -> None:
    """Carry out verified evidence: power 0, unless the chain would be left without any (then only record it)."""
    ledger.put(EVIDENCE, evidence_id, EvidenceUse(ledger.block.height))
    ledger.happened("evidence.punished", f"account/{address.hex()}")
    state = current(ledger)
    if total_power(state) > power_of(ledger, address) and (power_of(ledger, address) or paused_power(ledger, address)):
        set_power(ledger, address, 0)


class ValidatorPause(TransactionBody, tag="validator.pause", frozen=True):
    """Pause: the member's power is 0 from the next height on, until it resumes. Its offences remain punishable."""

    weight: ClassVar[int] = 200
    is_charged: ClassVar[bool] = False
    by: ClassVar[AnyMember] = AnyMember()
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {})

    def guards(self, ledger: Ledger) -> None:
        if not power_of(ledger, ledger.sender):
            ledger.unmet(NOT_A_VALIDATOR, to_text(ledger.sender))
        else:
            check_power_change(ledger, ledger.sender, 0)

    def apply(self, ledger: Ledger) -> None:
        """Not a new admission, so that a pause voids no evidence."""
        record = ledger.the(VALIDATOR, ledger.sender)
        ledger.put(VALIDATOR, ledger.sender, replace(record, power=0, paused_power=power_of(ledger, ledger.sender)))
        _move(ledger, ledger.sender, 0, record.consensus_key)


class ValidatorResume(TransactionBody, tag="validator.resume", frozen=True):
    """Resume with the power from before the pause, unless governance has changed it since."""

    weight: ClassVar[int] = 200
    is_charged: ClassVar[bool] = False
    by: ClassVar[AnyMember] = AnyMember()
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {})

    def guards(self, ledger: Ledger) -> None:
        paused = paused_power(ledger, ledger.sender)
        if not paused:
            ledger.unmet(NOT_PAUSED, to_text(ledger.sender))
        else:
            check_power_change(ledger, ledger.sender, paused, is_return=True)

    def apply(self, ledger: Ledger) -> None:
        record = ledger.the(VALIDATOR, ledger.sender)
        ledger.put(VALIDATOR, ledger.sender, replace(record, power=record.paused_power, paused_power=0))
        _move(ledger, ledger.sender, record.paused_power, record.consensus_key)
