"""The life of one car, step by step: what the story plays, as bodies for tests."""

from __future__ import annotations

from dataclasses import dataclass

from node.ledger.fields import Money, Odometer
from node.txtypes.payment.payment import PaymentAttest, PaymentInitiate
from node.txtypes.sale.delivery import DeliveryEvent
from node.txtypes.sale.listing import LISTING, AcceptedRail, ListingCreate, disclosure_root
from node.txtypes.sale.offer import OrderAccept, OrderOffer
from node.txtypes.sale.order_closing import OrderHandover
from node.txtypes.sale.payments import reference_id
from node.txtypes.service.accident import AccidentReport, Damage
from node.txtypes.service.maintenance import Due, MaintenanceRecord
from node.txtypes.vehicle.register import VehicleRegister
from node.txtypes.vehicle.title import TitleTransfer
from node.txtypes.vehicle.vehicle import VEHICLE
from support.chain import DAY_MS, Chain, address

VIN = "WBA8E9G50GNU12345"
PRICE = Money(5_290_000, "EUR")


def register(vin: str = VIN, **changes) -> VehicleRegister:
    fields = dict(
        vin=vin, model="330I", configuration=("S205A", "P337A"), plant="MUC", produced_on="2025-12-01",
        powertrain="petrol", odometer_unit="km", vin_scheme="EU", engine_serial="B48B20",
    )  # fmt: skip
    return VehicleRegister(**fields | changes)


def km(value: int, unit: str = "km") -> Odometer:
    return Odometer(value, unit, "cluster")


def maintenance(chain: Chain, value: int = 100, vin: str = VIN, **changes) -> MaintenanceRecord:
    fields = dict(
        vin=vin, services=("ENGINE_OIL",), parts=(), odometer=km(value), event_at_ms=chain.now,
        next_due=Due(30_000, 0), attachments=(),
    )  # fmt: skip
    return MaintenanceRecord(**fields | changes)


def accident(chain: Chain, value: int = 120, vin: str = VIN, extent: str = "bolt_on", **changes) -> AccidentReport:
    fields = dict(
        vin=vin, damages=(Damage("front", extent),), airbags=0, hv_battery_hit=False, drivable=True,
        cost_band="1000_to_2999", odometer=km(value), event_at_ms=chain.now, case_reference=None, attachments=(),
    )  # fmt: skip
    return AccidentReport(**fields | changes)


def transfer(chain: Chain, receiver: str = "dealer-munich", value: int = 150, vin: str = VIN, **changes):
    fields = dict(
        vin=vin, receiver=address(receiver), reason="wholesale", invoice_commitment=bytes(32), odometer=km(value),
        event_at_ms=chain.now,
    )  # fmt: skip
    return TitleTransfer(**fields | changes)


def listing(chain: Chain, vin: str = VIN, **changes) -> ListingCreate:
    fields = dict(
        vin=vin, price=PRICE, country="DE", configuration=(),
        rails=(AcceptedRail("bank_transfer", (address("payment-provider-1"),)),
               AcceptedRail("card", (address("payment-provider-1"), address("bank-1")))),
        expires_at_ms=chain.now + 30 * DAY_MS,
    )  # fmt: skip
    return ListingCreate(**fields | changes)


def offer(chain: Chain, listing_id: bytes, **changes) -> OrderOffer:
    found = chain.state(LISTING, listing_id)
    root = disclosure_root(listing_id, found, chain.state(VEHICLE, found.vin)) if found else bytes(32)
    fields = dict(
        listing=listing_id, listing_version=found.version if found else 1, price=PRICE, rail="bank_transfer",
        provider=address("payment-provider-1"), contract="on_premises", disclosure_root=root,
        expires_at_ms=chain.now + 7 * DAY_MS,
    )  # fmt: skip
    return OrderOffer(**fields | changes)


def attest(payment: bytes, status: str = "settled", reference: bytes = b"uetr-1", **changes) -> PaymentAttest:
    ref = reference_id("bank_transfer", address("payment-provider-1"), reference) if reference else b""
    return PaymentAttest(**dict(payment=payment, status=status, amount=PRICE, reference=ref) | changes)


def handover(chain: Chain, order: bytes, value: int = 160, **changes) -> OrderHandover:
    return OrderHandover(**dict(order=order, odometer=km(value), event_at_ms=chain.now) | changes)


@dataclass
class Life:
    """A chain on which a car has been brought as far as asked; ids are filled in on the way."""

    chain: Chain
    listing: bytes = b""
    order: bytes = b""
    payment: bytes = b""

    STAGES = ("born", "wholesale", "listed", "offered", "accepted", "paying", "paid", "delivered", "handed_over")

    def to(self, stage: str) -> Life:
        for step in self.STAGES[: self.STAGES.index(stage) + 1]:
            getattr(self, step)()
        return self

    def born(self) -> None:
        self.chain.do("bmw", register())

    def wholesale(self) -> None:
        self.chain.do("bmw", transfer(self.chain), "dealer-munich")

    def listed(self) -> None:
        self.listing = self.chain.do("dealer-munich", listing(self.chain))

    def offered(self) -> None:
        self.order = self.chain.do("buyer-1", offer(self.chain, self.listing))

    def accepted(self) -> None:
        self.chain.do("dealer-munich", OrderAccept(self.order))

    def paying(self) -> None:
        self.payment = self.chain.do("buyer-1", PaymentInitiate(self.order, "bank_transfer", PRICE))

    def paid(self) -> None:
        self.chain.do("payment-provider-1", attest(self.payment))

    def delivered(self) -> None:
        self.chain.do("dealer-munich", DeliveryEvent(self.order, "arrived", "MUC-1", self.chain.now, km(155)))

    def handed_over(self) -> None:
        self.chain.do("dealer-munich", handover(self.chain, self.order), "buyer-1")
