"""The handover: both sign, the money is final, and in one step the title of the car moves to the buyer, and that of a
car in payment to its taker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from msgspec.structs import replace

from node import limits
from node.ledger.body import type_of
from node.ledger.example import Example
from node.ledger.fields import Hash32, Odometer, Time
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, Unique
from node.limits import DAY_MS
from node.rules.deals import WITHDRAWAL_ROOM_MS, WITHDRAWAL_UNINFORMED_MS
from node.rules.odometer import is_worse, tolerance_metres
from node.txtypes.members.member import has_role
from node.txtypes.sale.accounts import account_of, creditor_of, final_amount
from node.txtypes.sale.acting import check_mandate
from node.txtypes.sale.deal import CLAIM_LEG, Terms, in_money, lent
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_body import (
    ORDER_DISPUTED,
    VIN_MISSING,
    OrderBody,
    check_reserving,
    seller_side,
    step_listing,
)
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import Payment, final_of, net_of, payments_of, refunds_open
from node.txtypes.sale.trade_in import TRADE_IN_UNREADY, TRADE_IN_VALUE
from node.txtypes.vehicle.claims import CLAIMS_OPEN, is_debtor
from node.txtypes.vehicle.conditions import check_flags, check_shown, check_step
from node.txtypes.vehicle.guards import check_act_time, check_event_time, check_holder, require_vehicle
from node.txtypes.vehicle.odometer import (
    ACCREDITED,
    Standing,
    add_reading,
    check_reading,
    distance_shown,
    is_verdict_worse,
    newest_distance,
    verdict_outcome,
    verdict_with,
)
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.regions import LIENS_MAX, flags_at
from node.txtypes.vehicle.stop_flags import FLAGS_FULL, PaidOff, check_paid_off, with_firm_flag, without_liens
from node.txtypes.vehicle.title import with_title
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, verdict_now

PAYMENT_NOT_FINAL = Guard("payment_not_final", "the final payments do not make up the price",
                          "die endgültigen Zahlungen ergeben nicht den Preis", "款项未最终到账")  # fmt: skip
HANDOVER_READING = Guard(
    "handover_reading",
    "the reading is below the newest one: an accredited member reads the car first, and the buyer acknowledges the "
    "verdict",
    "der Kilometerstand liegt unter dem neuesten: zuerst liest ein zugelassenes Mitglied das Fahrzeug ab, und der "
    "Käufer bestätigt das Urteil",
    "读数低于最新读数：须先由认可成员读取里程，并由买方确认结论",
)
ACKNOWLEDGEMENT_MISSING = Guard("acknowledgement_missing", "the buyer has not acknowledged the changes",
                                "der Käufer hat die Änderungen nicht bestätigt", "买方未确认变更")  # fmt: skip
REFERENCE_SHARED = Guard(
    "reference_shared",
    "another provider has attested a payment with the same UETR: both parties confirm that they know",
    "ein anderer Dienst hat eine Zahlung mit derselben UETR bestätigt: beide Parteien bestätigen, dass sie es wissen",
    "另一服务商以相同 UETR 证明过付款：须由双方确认知悉",
)
PROMISE_UNFIT = Guard(
    "promise_unfit",
    "there is no credit whose payment is begun and could be promised",
    "es gibt keinen Kredit, dessen Zahlung begonnen ist und zugesagt werden könnte",
    "没有已发起付款且可作承诺的贷款",
)


class OrderHandover(OrderBody, tag="order.handover", frozen=True):
    """Seller or agent and buyer sign the handover in one transaction; so do the taker of a car in payment, each bank
    whose lien ends with it, and a lender that gets the title or promises its payment. Both sides name the material
    roots of the cars as they are. The money must be final; more than the price is a debt to give back and no
    obstacle."""

    odometer: Odometer | None
    event_at_ms: Time
    material_root: Hash32
    trade_odometer: Odometer | None = None
    trade_material_root: Hash32 | None = None
    paid_off: PaidOff = ()
    """Banks whose liens on the sold car end with the handover: they sign too."""
    trade_paid_off: PaidOff = ()
    """Banks whose liens on the car in payment end with the handover: they sign too."""
    promises: bool = False
    """The lender promises to pay within five days; its payment then counts as final."""
    confirms_shared: bool = False
    """Both parties know that another provider has attested the same transfer."""
    protocol: Hash32 | None = None
    """A salted hash of the handover's protocol."""
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("paid_off"), Unique("trade_paid_off"))
    weight: ClassVar[int] = 400
    headline: ClassVar[tuple[str, ...]] = ("odometer",)
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "order": "$order", "odometer": {"value": 160, "unit": "km", "source": "cluster"}, "event_at": "now",
        "material_root": "$material_root",
    }, ("buyer-1",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        order = ledger.get(ORDER, self.order)
        if order is None:
            return ()
        ours = seller_side(ledger, order)
        found = [ours, order.buyer, *self.paid_off, *self.trade_paid_off]
        if order.terms.trade_in is not None:
            found.append(order.terms.trade_in.taker)
        if (finance := order.terms.finance) is not None and (self.promises or finance.title_to == "lender"):
            found.append(finance.lender)
        return tuple(dict.fromkeys(found))

    # --- guards -----------------------------------------------------------------------------------------------
    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.seller, order.buyer, order.agent)
        if ledger.sender == order.agent:
            check_mandate(ledger, "handover", order)
        if order.dispute:
            ledger.unmet(ORDER_DISPUTED, self.order.hex(), order.dispute.hex())
        self._check_money(ledger, order)
        if not order.vin:
            ledger.unmet(VIN_MISSING, self.order.hex())
            return
        vehicle = require_vehicle(ledger, order.vin)
        check_reading(ledger, order.vin, self.odometer)
        check_event_time(ledger, order.vin, vehicle, self.event_at_ms)
        since = min(order.accepted_at_ms, ledger.now_ms)
        check_act_time(ledger, order.vin, self.event_at_ms, age_max_ms=limits.HANDOVER_AGE_MAX_MS, since_ms=since)
        if vehicle is not None:
            self._check_car(ledger, order, vehicle)
        self._check_trade_in(ledger, order)

    def _check_money(self, ledger: Ledger, order: Order) -> None:
        subject, payments = self.order.hex(), payments_of(ledger, order.payments)
        final, price = final_amount(order, payments, ledger.now_ms), in_money(order.terms)
        if self.promises:
            promised = _promised(order.terms, payments, ledger.now_ms)
            begun = [p for p in payments if p.rail == "finance" and p.leg != CLAIM_LEG and not p.is_closed]
            room = sum(payment.amount.amount - payment.settled for payment in begun)
            if order.terms.finance is None or promised > room:  # else nobody could attest that it has come
                ledger.unmet(PROMISE_UNFIT, subject, need="a payment of the credit that is begun")
            final += promised
        if final < price:
            ledger.unmet(PAYMENT_NOT_FINAL, subject, final, price)
        if any(payment.shared for payment in payments) and not self.confirms_shared:
            ledger.unmet(REFERENCE_SHARED, subject)

    def _check_car(self, ledger: Ledger, order: Order, vehicle: Vehicle) -> None:
        check_shown(ledger, order.vin, vehicle, self.material_root)
        check_holder(ledger, order.vin, vehicle, order.seller)
        # a verdict that became worse after the acceptance blocks until the buyer has acknowledged it
        verdict = verdict_now(ledger, order.vin, vehicle, ledger.rules)
        agreed = () if is_worse(verdict, order.agreed_verdict) else ("odometer",)
        check_paid_off(ledger, order.vin, vehicle, self.paid_off)
        check_step(ledger, order.vin, vehicle, "handover", agreed, order.buyer, signed_by=self.paid_off)
        check_reserving(ledger, self.order, order.vin, vehicle)
        if not order.is_agreed(ledger, vehicle):
            now = order.agreed_to(ledger, vehicle)
            ledger.unmet(ACKNOWLEDGEMENT_MISSING, self.order.hex(), order.agreed_text(), now.agreed_text())
        if order.terms.finance is not None and order.terms.finance.takes_lien:
            self._check_lien_room(ledger, order.vin, vehicle, order.terms.finance.lender)
        check_distance(ledger, order, order.vin, vehicle, self.odometer, self.event_at_ms)

    def _check_lien_room(self, ledger: Ledger, vin: str, vehicle: Vehicle, lender: bytes) -> None:
        live = flags_at(vehicle.flags, ledger.now_ms)
        others = [f for f in live if f.name == "lien" and f.setter != lender and f.setter not in self.paid_off]
        if len(others) >= LIENS_MAX:
            ledger.unmet(FLAGS_FULL, vin, len(others), f"below {LIENS_MAX}")

    def _check_trade_in(self, ledger: Ledger, order: Order) -> None:
        trade_in, shown, read = order.terms.trade_in, self.trade_material_root, self.trade_odometer
        if trade_in is None:
            if shown is not None or read is not None or self.trade_paid_off:
                ledger.unmet(TRADE_IN_UNREADY, self.order.hex(), need="no car in payment")
            return
        vehicle = require_vehicle(ledger, trade_in.vin)
        check_reading(ledger, trade_in.vin, read)
        check_event_time(ledger, trade_in.vin, vehicle, self.event_at_ms)
        if vehicle is None:
            return
        check_shown(ledger, trade_in.vin, vehicle, shown or b"")
        check_holder(ledger, trade_in.vin, vehicle, order.buyer)
        if is_debtor(ledger, order.buyer, trade_in.vin):
            ledger.unmet(CLAIMS_OPEN, trade_in.vin)
        check_paid_off(ledger, trade_in.vin, vehicle, self.trade_paid_off)
        check_flags(ledger, trade_in.vin, vehicle, "handover", signed_by=self.trade_paid_off)
        check_reserving(ledger, self.order, trade_in.vin, vehicle)
        if read is not None and (read.unit != vehicle.odometer_unit or read.value > trade_in.odometer_max):
            ledger.unmet(TRADE_IN_VALUE, trade_in.vin, f"{read.value} {read.unit}", f"at most {trade_in.odometer_max}")
        check_distance(ledger, order, trade_in.vin, vehicle, read, self.event_at_ms)

    # --- effect -------------------------------------------------------------------------------------------------
    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        terms, finance = order.terms, order.terms.finance
        assert self.odometer is not None, "guarded"
        receiver = finance.lender if finance is not None and finance.title_to == "lender" else order.buyer
        payments = payments_of(ledger, order.payments)
        lent_now = lent_at_handover(order, payments, ledger.now_ms, promises=self.promises)
        self._hand_over(ledger, order, order.vin, self.odometer, receiver, self.paid_off, lent_now)
        if terms.trade_in is not None and self.trade_odometer is not None:
            taker = terms.trade_in.taker
            self._hand_over(ledger, order, terms.trade_in.vin, self.trade_odometer, taker, self.trade_paid_off, 0)
        self.follow(
            ledger, order, title_record=ledger.txid, ended_at_ms=ledger.now_ms, lent=lent_now,
            withdraw_until_ms=_withdraw_until_ms(ledger, order), handed_over_metres=newest_distance(ledger, order.vin),
        )  # fmt: skip
        step_listing(ledger, order, type_of(self))

    def _hand_over(
        self, ledger: Ledger, order: Order, vin: str, odometer: Odometer, receiver: bytes, paid_off: PaidOff,
        lent_now: int,
    ) -> None:  # fmt: skip
        before = ledger.the(VEHICLE, vin)
        read = add_reading(
            ledger, vin, before, odometer, self.event_at_ms, standing_of(ledger, order), is_acknowledged=True
        )  # fmt: skip
        vehicle = without_liens(ledger, read, paid_off)
        existence = "in_service" if vehicle.existence == "born" else vehicle.existence
        vehicle = with_title(ledger, vin, replace(vehicle, existence=existence), receiver)
        finance = order.terms.finance
        is_pledged = vin == order.vin and finance is not None and finance.takes_lien and lent_now > 0
        if finance is not None and is_pledged:
            vehicle = with_firm_flag(ledger, vehicle, "lien", setter=finance.lender)
        append_record(
            ledger, vin, vehicle, self, self.event_at_ms, (verdict_outcome(vehicle),),
            is_material=is_verdict_worse(before, read) or is_pledged,
        )  # fmt: skip


def lent_at_handover(order: Order, payments: Iterable[Payment], now_ms: int, *, promises: bool) -> int:
    """Minor units of the price that the lender has to have paid: what has come of its credit and was not released, and
    what it promises."""
    finance, payments = order.terms.finance, list(payments)
    if finance is None:
        return 0
    own = [payment for payment in payments if creditor_of(order, payment) == finance.lender]
    come = sum(max(0, net_of(payment) - refunds_open(payment)) for payment in own)
    released = min(0, account_of(order, finance.lender).posted) if finance.lender != order.buyer else 0
    promised = _promised(order.terms, payments, now_ms) if promises else 0
    return min(lent(order.terms), max(0, come + released) + promised)


def _withdraw_until_ms(ledger: Ledger, order: Order) -> int:
    """Until when a consumer can withdraw from a distance contract: the end of the 14th day after today, wherever on
    earth that day ends; a year longer where the order names no text of the contract that informs of it."""
    if order.terms.contract != "distance":
        return 0
    days = ledger.now_ms // DAY_MS + 1 + ledger.params.withdrawal_days
    informed = 0 if order.terms.text is not None else WITHDRAWAL_UNINFORMED_MS
    return days * DAY_MS + WITHDRAWAL_ROOM_MS + informed


def _promised(terms: Terms, payments: list[Payment], now_ms: int) -> int:
    """What is still to come of the credit."""
    place = next((n for n, leg in enumerate(terms.legs) if leg.kind == "finance"), None)
    if place is None:
        return 0
    return max(0, terms.legs[place].amount - sum(final_of(p, now_ms) for p in payments if p.leg == place))


def check_distance(
    ledger: Ledger, order: Order, vin: str, vehicle: Vehicle, odometer: Odometer | None, event_at_ms: int
) -> None:
    """Notes a reading below the newest one, or one that would make the verdict worse than it is. Who receives the car
    signs this one, whatever it is above: but what contradicts others is to be judged before, so that it is known."""
    if odometer is None:
        return
    distance, newest = distance_shown(ledger, vin, odometer, event_at_ms), newest_distance(ledger, vin)
    have, need = f"{distance // 1_000} km", f"at least {newest // 1_000} km"
    if distance < newest - tolerance_metres(0):
        ledger.unmet(HANDOVER_READING, vin, have, need)
        return
    verdict = verdict_with(ledger, vin, vehicle, odometer, event_at_ms, standing_of(ledger, order))
    known = verdict_now(ledger, vin, vehicle, ledger.rules)
    if is_worse(verdict, known):
        ledger.unmet(HANDOVER_READING, vin, f"{have}, {verdict}", f"{need}, {known}")


def standing_of(ledger: Ledger, order: Order) -> Standing:
    """What both parties agree on counts, if one of them is a trader; of two private people nobody else saw it."""
    is_traded = any(has_role(ledger, party, *ACCREDITED) for party in (order.seller, order.buyer))
    return "interested" if is_traded else "declared"
