"""What this node's validator may do now, in a word, and changes of it that its operator must know."""

from __future__ import annotations

from node.crypto.addresses import to_text
from node.daemon.remote_signer import SignerLink
from node.log import log
from node.replica.doppelganger import Duty
from node.replica.replica import Replica
from node.storage.chain_store import ChainStore
from node.txtypes.rulesets import unknown_rules


class SigningStatus:
    """`address`: the member this node signs for, empty without a key. `account`: that of the account key here."""

    def __init__(
        self, store: ChainStore, replica: Replica, link: SignerLink | None, address: bytes, account: bytes
    ) -> None:
        self._store = store
        self._replica = replica
        self._link = link
        self.address = address
        self._account = account
        self._logged = ("", 0)

    def is_validator(self) -> bool:
        """Also where its consensus key is missing here: the chain counts on it."""
        return (self.address or self._account) in self._store.head().validators

    def signing(self) -> str:
        """As `NodeStatus.signing`."""
        replica, double, is_validator = self._replica, self._replica.doppelganger, self.is_validator()
        if replica.halted:
            return "halted"
        if self._link is not None and self._link.problem:
            return f"signer unreachable: {self._link.problem}"
        if double is None:
            return "no_key" if is_validator else "not_a_validator"
        if double.duty is Duty.STOPPED:
            return f"stopped: {double.why}"
        if double.duty is Duty.LISTENING:
            return "listening"
        if not replica.is_key_in_force():
            return "another_key" if is_validator else "not_a_validator"
        if replica.machine.height < replica.signs_from():
            return f"waiting: signing state was lost, signs from height {replica.signs_from()}"
        return "signing" if replica.may_sign() and not replica.is_syncing() else "catching_up"

    def upgrade_height(self) -> int:
        """The height at which governance activates a ruleset that is unknown here; 0 for none."""
        params = self._store.head().params
        return params.next_ruleset_height if unknown_rules(params, params.next_ruleset_height) else 0

    def log_changes(self) -> None:
        """Log once per change: a consensus key that is missing or not the chain's; an upgrade that is due."""
        signing, upgrade = self.signing(), self.upgrade_height()
        if signing in ("no_key", "another_key") and signing != self._logged[0]:
            log("consensus_key", "error", {"validator": to_text(self.address or self._account), "signing": signing})
        if upgrade and upgrade != self._logged[1]:
            ruleset = self._store.head().params.next_ruleset
            log("upgrade_needed", "error", {"ruleset": ruleset, "before_height": upgrade})
        self._logged = (signing, upgrade)
