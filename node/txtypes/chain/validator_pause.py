"""A validator pauses for maintenance, and resumes with the power that governance gave it."""

from __future__ import annotations

from typing import ClassVar

from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.chain import validator_set
from node.txtypes.chain.validator_set import NOT_A_VALIDATOR
from node.txtypes.members.member import AnyMember

# fmt: off
NOT_PAUSED = Guard("not_paused", "the validator has not paused", "der Validator pausiert nicht", "该验证者未暂停")
# fmt: on


class ValidatorPause(TransactionBody, tag="validator.pause", frozen=True):
    """Pause: the member's power is 0 from the next height on, until it resumes. Its offences remain punishable."""

    weight: ClassVar[int] = 200
    by: ClassVar[AnyMember] = AnyMember()
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {})

    def guards(self, ledger: Ledger) -> None:
        if not validator_set.power_of(ledger, ledger.sender):
            ledger.unmet(NOT_A_VALIDATOR, to_text(ledger.sender))
        else:
            validator_set.check_power_change(ledger, ledger.sender, 0)

    def apply(self, ledger: Ledger) -> None:
        validator_set.pause(ledger, ledger.sender)


class ValidatorResume(TransactionBody, tag="validator.resume", frozen=True):
    """Resume with the power from before the pause, unless somebody has changed it since."""

    weight: ClassVar[int] = 200
    by: ClassVar[AnyMember] = AnyMember()
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {})

    def guards(self, ledger: Ledger) -> None:
        paused = validator_set.paused_power(ledger, ledger.sender)
        if not paused:
            ledger.unmet(NOT_PAUSED, to_text(ledger.sender))
        else:
            validator_set.check_power_change(ledger, ledger.sender, paused, is_return=True)

    def apply(self, ledger: Ledger) -> None:
        validator_set.resume(ledger, ledger.sender)
