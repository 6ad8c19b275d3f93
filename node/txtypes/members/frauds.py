"""Authors revoked for fraud, as one state value, so that one proof tells a reader about every author."""

from __future__ import annotations

from typing import Final

from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.family import Family, Reader, fixed_ident
from node.ledger.fields import Address, Time
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger

FRAUDS_MAX: Final = 1_000
"""Authors in the list. When it is full, a revocation for fraud is refused; one for another reason remains."""

FRAUDS_FULL = Guard("frauds_full", "the list of authors revoked for fraud is full",
                    "die Liste der wegen Betrugs Ausgeschlossenen ist voll", "因欺诈被撤销者名单已满")  # fmt: skip


class Fraud(Value, frozen=True):
    """An author revoked for fraud, as a member (empty role) or in one role, and when."""

    author: Address
    role: str
    since_ms: Time


class Frauds(Value, tag=1, frozen=True):
    """All of them, ascending by author and role."""

    entries: tuple[Fraud, ...]


FRAUDS: Final = Family("frauds", Frauds, ident=fixed_ident("all"))


def _entries(reader: Reader) -> tuple[Fraud, ...]:
    frauds = reader.get(FRAUDS, "all")
    return frauds.entries if frauds is not None else ()


def is_fraudulent(reader: Reader, author: bytes) -> bool:
    """Whether all records of an author are marked."""
    return any(entry.author == author for entry in _entries(reader))


def check_room(ledger: Ledger, author: bytes, role: str) -> None:
    entries = _entries(ledger)
    is_listed = any((entry.author, entry.role) == (author, role) for entry in entries)
    if not is_listed and len(entries) >= FRAUDS_MAX:
        ledger.unmet(FRAUDS_FULL, to_text(author), len(entries), f"below {FRAUDS_MAX}")


def add_fraud(ledger: Ledger, author: bytes, role: str) -> None:
    """List the author; who is listed already keeps its date."""
    entries = _entries(ledger)
    if any((entry.author, entry.role) == (author, role) for entry in entries):
        return
    added = (*entries, Fraud(author, role, ledger.now_ms))
    ledger.put(FRAUDS, "all", Frauds(tuple(sorted(added, key=lambda entry: (entry.author, entry.role)))))
