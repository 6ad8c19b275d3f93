"""Every transaction type: one line each. The codec, the wallet's commands and the RPC schema follow from it."""

from __future__ import annotations

from typing import Any, Union

from node.txtypes.accounts import AccountOpen, AccountUpdateKeys
from node.txtypes.body import Body
from node.txtypes.closing import OrderCancel, OrderHandover
from node.txtypes.delivery import DeliveryEvent, DeliverySchedule
from node.txtypes.governance import GovernancePropose, GovernanceVote
from node.txtypes.listing import ListingCreate, ListingUpdate, ListingWithdraw
from node.txtypes.members import MemberUpdate
from node.txtypes.odometer import OdometerRead
from node.txtypes.order import OrderAccept, OrderAcknowledge, OrderCounter, OrderOffer, OrderReject
from node.txtypes.pausing import ValidatorPause, ValidatorResume
from node.txtypes.payment import PaymentAttest, PaymentInitiate
from node.txtypes.title import TitleTransfer
from node.txtypes.vehicle import VehicleRegister
from node.txtypes.workshop import AccidentReport, MaintenanceRecord

_ALL: tuple[type[Body], ...] = (
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

TYPES: dict[str, type[Body]] = {str(kind.__struct_config__.tag): kind for kind in _ALL}
"""Type name to class."""

AnyBody: Any = Union[_ALL]  # noqa: UP007 - built at run time
"""The closed union that bodies are decoded as."""


def type_of(body: Body) -> str:
    """The type name, e.g. `vehicle.register`."""
    return str(type(body).__struct_config__.tag)
