"""Every transaction type and every state family: one line each. Codec, commands, documents, HTTP and indexes follow."""

from __future__ import annotations

from typing import Any, Final, Union

from node.ledger.body import TransactionBody
from node.ledger.family import Family
from node.ledger.params import CHAIN
from node.txtypes.chain.governance import OPEN_PROPOSALS, PROPOSAL, GovernancePropose, GovernanceVote
from node.txtypes.chain.replay_window import WINDOW
from node.txtypes.chain.validator_pause import ValidatorPause, ValidatorResume
from node.txtypes.chain.validator_set import CONSENSUS_KEY, EVIDENCE, VALIDATOR, VALIDATORS
from node.txtypes.identity.account import ACCOUNT, QUOTA, AccountOpen, AccountUpdateKeys
from node.txtypes.members.frauds import FRAUDS
from node.txtypes.members.member import MEMBER, MEMBER_NAME, MemberUpdate
from node.txtypes.payment.payment import PaymentAttest, PaymentInitiate
from node.txtypes.sale.delivery import DELIVERY, DeliveryEvent, DeliverySchedule
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.listing_types import ListingCreate, ListingUpdate, ListingWithdraw
from node.txtypes.sale.offer import (
    LIVE_OFFERS,
    OrderAccept,
    OrderAcknowledge,
    OrderCounter,
    OrderOffer,
    OrderReject,
)
from node.txtypes.sale.order import ORDER
from node.txtypes.sale.order_closing import OrderCancel, OrderHandover
from node.txtypes.sale.payments import PAYMENT, REFERENCE
from node.txtypes.service.accident import AccidentReport
from node.txtypes.service.maintenance import MaintenanceRecord
from node.txtypes.vehicle.reading import OdometerRead
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.register import VehicleRegister
from node.txtypes.vehicle.title import TitleTransfer
from node.txtypes.vehicle.vehicle import VEHICLE

_TYPES: Final[tuple[type[TransactionBody], ...]] = (
    AccountOpen,
    AccountUpdateKeys,
    MemberUpdate,
    GovernancePropose,
    GovernanceVote,
    ValidatorPause,
    ValidatorResume,
    VehicleRegister,
    TitleTransfer,
    OdometerRead,
    MaintenanceRecord,
    AccidentReport,
    ListingCreate,
    ListingUpdate,
    ListingWithdraw,
    OrderOffer,
    OrderCounter,
    OrderAccept,
    OrderReject,
    OrderCancel,
    OrderAcknowledge,
    OrderHandover,
    PaymentInitiate,
    PaymentAttest,
    DeliverySchedule,
    DeliveryEvent,
)
_FAMILIES: Final[tuple[Family[Any], ...]] = (
    CHAIN,
    WINDOW,
    VALIDATORS,
    VALIDATOR,
    CONSENSUS_KEY,
    EVIDENCE,
    PROPOSAL,
    OPEN_PROPOSALS,
    ACCOUNT,
    QUOTA,
    MEMBER,
    MEMBER_NAME,
    FRAUDS,
    VEHICLE,
    ODOMETER,
    LISTING,
    ORDER,
    LIVE_OFFERS,
    PAYMENT,
    REFERENCE,
    DELIVERY,
)

TYPES: Final[dict[str, type[TransactionBody]]] = {str(kind.__struct_config__.tag): kind for kind in _TYPES}
"""Type name to class."""
FAMILIES: Final[dict[str, Family[Any]]] = {family.name: family for family in _FAMILIES}
"""Family name to declaration."""

HAPPENINGS: Final = ("title.moved", "evidence.punished", "ruleset.activated")
"""The names of what receipts tell besides changes of state."""

AnyBody: Any = Union[_TYPES]  # noqa: UP007 - built at run time
"""The closed union that bodies are decoded as."""


def family_of(key: bytes) -> Family[Any] | None:
    """The family of a state key; None where this software knows none."""
    return FAMILIES.get(key.split(b"/", 1)[0].decode("ascii", "replace"))
