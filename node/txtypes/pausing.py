"""A validator steps aside by itself, for maintenance, and comes back with the power that governance gave it."""

from __future__ import annotations

from typing import ClassVar

from node.crypto.addresses import to_text
from node.txtypes import validators
from node.txtypes.body import Body
from node.txtypes.ledger import Ledger
from node.txtypes.members import require_member


class ValidatorPause(Body, tag="validator.pause", frozen=True):
    """Step aside: the member's power is 0 from the next height on, until it resumes. Its offences stay punishable."""

    weight: ClassVar[int] = 200

    def guards(self, ledger: Ledger) -> None:
        require_member(ledger, ledger.sender)
        if not validators.power_of(ledger, ledger.sender):
            ledger.unmet("not_a_validator", to_text(ledger.sender))
        else:
            validators.check_power_change(ledger, ledger.sender, 0)

    def apply(self, ledger: Ledger) -> None:
        validators.pause(ledger, ledger.sender)

    def subjects(self) -> tuple[str, ...]:
        return ("validators/set",)


class ValidatorResume(Body, tag="validator.resume", frozen=True):
    """Come back with the power from before the pause, as far as nobody has changed it since."""

    weight: ClassVar[int] = 200

    def guards(self, ledger: Ledger) -> None:
        require_member(ledger, ledger.sender)
        paused = validators.paused_power(ledger, ledger.sender)
        if not paused:
            ledger.unmet("not_paused", to_text(ledger.sender))
        else:
            validators.check_power_change(ledger, ledger.sender, paused, is_return=True)

    def apply(self, ledger: Ledger) -> None:
        validators.resume(ledger, ledger.sender)

    def subjects(self) -> tuple[str, ...]:
        return ("validators/set",)
