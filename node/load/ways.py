"""Ways: what has become of each transaction of a load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from node.load.writers import SignedLoad

Fate = Literal["committed", "refused", "rejected", "undecided", "unanswered"]


@dataclass(slots=True)
class Way:
    """One transaction that was offered. Times are seconds since the start of the run, None for what has not happened.

    `due_s`: when the schedule wanted it offered; answer and finality count from then, so that what waits in the tool
    is seen. `refusal`: the code with which a node refused it; `rejection`: that with which one dropped it later.
    """

    signed: SignedLoad
    due_s: float
    sent_s: float
    answered_s: float | None = None
    committed_s: float | None = None
    height: int = 0
    refusal: str = ""
    rejection: str = ""
    accepted_by: str = ""
    """Address of the node that accepted it."""
    is_counted: bool = True
    """Whether it counts as undecided of its sender."""

    @property
    def is_open(self) -> bool:
        """Whether a node has accepted it, and it is not decided."""
        return bool(self.accepted_by) and not self.height and not self.rejection

    @property
    def fate(self) -> Fate:
        if self.height:
            return "committed"
        if self.refusal:
            return "refused"
        if self.rejection:
            return "rejected"
        return "undecided" if self.accepted_by else "unanswered"
