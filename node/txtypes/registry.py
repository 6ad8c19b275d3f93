"""Every transaction type and every state family. Codec, commands, documents, HTTP and indexes follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Union

from node.ledger.body import TransactionBody
from node.ledger.family import Family
from node.ledger.params import CHAIN
from node.txtypes.cases.case import CASE, LIVE_CASES
from node.txtypes.cases.types import CaseClose, CaseConfirm, CaseOpen, CaseReply
from node.txtypes.chain import validator_set as validators
from node.txtypes.chain.governance import OPEN_PROPOSALS, PROPOSAL, GovernancePropose, GovernanceVote
from node.txtypes.chain.replay_window import WINDOW
from node.txtypes.disputes import types as disputes
from node.txtypes.disputes.amend import RecordAmend
from node.txtypes.disputes.arbiters import ARBITERS
from node.txtypes.disputes.dispute import OPEN_DISPUTES, RECORD_DISPUTE, RECORD_STATUS
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE
from node.txtypes.disputes.order_dispute_types import OrderDisputeClose, OrderDisputeOpen, OrderResolve, OrderRespond
from node.txtypes.identity.account import ACCOUNT, AccountOpen, AccountUpdateKeys
from node.txtypes.identity.quota import QUOTA
from node.txtypes.members.conduct import CONDUCT
from node.txtypes.members.makers import MAKERS
from node.txtypes.members.mandate import MANDATE, MandateEnd, MandateGrant
from node.txtypes.members.member import FRAUDS, MEMBER, MEMBER_NAME, MemberUpdate
from node.txtypes.parts.battery import BATTERY, BatteryBind, BatteryHealth
from node.txtypes.parts.parts import PartBind
from node.txtypes.parts.software import SOFTWARE, SoftwareUpdate
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.payment.giving_back import PaymentConfirmRefund, PaymentReassign, PaymentRefund
from node.txtypes.payment.initiating import PaymentDeclare, PaymentInitiate
from node.txtypes.registration.registration import (
    RegistrationAccept,
    RegistrationEnd,
    RegistrationExport,
    RegistrationSet,
    RegistrationSuspend,
)
from node.txtypes.sale.building import ListingBuild, OrderAssignVin
from node.txtypes.sale.changes import OrderAcknowledge, OrderAmend, OrderReinstate
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.delivery import DELIVERY, DeliveryConfirm, DeliveryEvent, DeliveryRefuse, DeliverySchedule
from node.txtypes.sale.ending import OrderCancel, OrderClaimRefund
from node.txtypes.sale.handover import OrderHandover
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.listing_types import ListingCreate, ListingUpdate, ListingWithdraw
from node.txtypes.sale.negotiation import LIVE_OFFERS, OrderAccept, OrderCounter, OrderOffer, OrderReject
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, REFERENCE, UETR
from node.txtypes.sale.returning import OrderReturn, OrderWithdraw
from node.txtypes.service.damage import AccidentReport
from node.txtypes.service.inspection import InspectionRecord
from node.txtypes.service.instrument import OdometerReplace
from node.txtypes.service.loss import TotalLoss
from node.txtypes.service.rebuild import Rebuild
from node.txtypes.service.recall import RECALL, RecallExtend, RecallOpen
from node.txtypes.service.records import MaintenanceRecord, OdometerRead
from node.txtypes.service.remedy import RecallDone
from node.txtypes.service.repair import RepairRecord
from node.txtypes.service.scrap import Scrap
from node.txtypes.service.warranty import WARRANTY, WarrantyExtend, WarrantyStart
from node.txtypes.service.warranty_claim import CLAIM, WarrantyClaim, WarrantyDecide
from node.txtypes.vehicle.alerts import AlertClose
from node.txtypes.vehicle.assign import TitleAssign
from node.txtypes.vehicle.bindings import PART
from node.txtypes.vehicle.claims import DEBTOR, ORDER_CLAIMS
from node.txtypes.vehicle.imports import VehicleImport
from node.txtypes.vehicle.life import LIFE
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.sighting import SIGHTINGS, VehicleSighting
from node.txtypes.vehicle.stop_flags import FlagClear, FlagSet
from node.txtypes.vehicle.title import TitleTransfer, VehicleRegister
from node.txtypes.vehicle.vehicle import VEHICLE

_TYPES: Final[tuple[type[TransactionBody], ...]] = (
    AccountOpen, AccountUpdateKeys, MemberUpdate, MandateGrant, MandateEnd,
    GovernancePropose, GovernanceVote, validators.ValidatorPause, validators.ValidatorResume,
    VehicleRegister, TitleTransfer, OdometerRead, OdometerReplace, MaintenanceRecord, AccidentReport, RecallOpen,
    RegistrationSet, RegistrationSuspend, RegistrationEnd, RegistrationExport, RegistrationAccept, TitleAssign,
    RecallExtend, RecallDone, InspectionRecord,
    FlagSet, FlagClear, AlertClose,
    RepairRecord, TotalLoss, Rebuild, Scrap,
    VehicleImport, VehicleSighting, PartBind, BatteryBind, BatteryHealth, SoftwareUpdate,
    ListingCreate, ListingBuild, ListingUpdate, ListingWithdraw,
    OrderOffer, OrderCounter, OrderAccept, OrderReject, OrderCancel, OrderClaimRefund, OrderAcknowledge, OrderAmend,
    OrderReinstate, OrderAssignVin, OrderHandover, OrderWithdraw, OrderReturn, ClaimRelease,
    OrderDisputeOpen, OrderRespond, OrderResolve, OrderDisputeClose, CaseOpen, CaseConfirm, CaseReply, CaseClose,
    PaymentInitiate, PaymentDeclare, PaymentAttest, PaymentRefund, PaymentConfirmRefund, PaymentReassign,
    DeliverySchedule, DeliveryConfirm, DeliveryEvent, DeliveryRefuse,
    RecordAmend, disputes.RecordDisputeOpen, disputes.RecordRespond, disputes.RecordWithdraw, disputes.RecordResolve,
    disputes.RecordClose,
    WarrantyStart, WarrantyExtend, WarrantyClaim, WarrantyDecide,
)  # fmt: skip
_FAMILIES: Final[tuple[Family[Any], ...]] = (
    CHAIN, WINDOW, validators.VALIDATORS, validators.VALIDATOR, validators.CONSENSUS_KEY, validators.EVIDENCE,
    PROPOSAL, OPEN_PROPOSALS,
    ACCOUNT, QUOTA, MEMBER, MEMBER_NAME, FRAUDS, CONDUCT, MANDATE,
    VEHICLE, ODOMETER, LIFE, RECALL,
    MAKERS, PART, BATTERY, SOFTWARE, SIGHTINGS,
    LISTING, ORDER, LIVE_OFFERS, PAYMENT, REFERENCE, UETR, ORDER_CLAIMS, DEBTOR, DELIVERY,
    ARBITERS, RECORD_STATUS, RECORD_DISPUTE, OPEN_DISPUTES, ORDER_DISPUTE, CASE, LIVE_CASES,
    WARRANTY, CLAIM,
)  # fmt: skip
TYPES: Final[dict[str, type[TransactionBody]]] = {str(kind.__struct_config__.tag): kind for kind in _TYPES}
"""Type name to class."""
FAMILIES: Final[dict[str, Family[Any]]] = {family.name: family for family in _FAMILIES}
"""Family name to declaration."""
HAPPENINGS: Final = (
    "title.moved", "vehicle.material", "vehicle.alert", "vehicle.voided", "evidence.punished", "ruleset.activated",
    "refund.due",
)  # fmt: skip
"""The names of facts that receipts have besides changes of state."""

if TYPE_CHECKING:
    AnyBody = TransactionBody
else:
    AnyBody = Union[_TYPES]  # noqa: UP007 - built at run time
    """The closed union that bodies are decoded as."""


def family_of(key: bytes) -> Family[Any] | None:
    """The family of a state key; None where this software knows none."""
    return FAMILIES.get(key.split(b"/", 1)[0].decode("ascii", "replace"))
