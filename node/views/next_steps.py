"""What an order waits for, and what follows if nobody acts, over a node's state or the proven values of a wallet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, get_args

from msgspec.structs import asdict, replace

from node.ledger.family import AsOf, Reader, View
from node.ledger.fields import Id
from node.limits import TIME_MAX_MS
from node.rules.deals import CURE_MS
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, answering, status_at
from node.txtypes.sale.deal import CLAIM_LEG
from node.txtypes.sale.next_step import OrderNext, OrderStep
from node.txtypes.sale.order import Order
from node.txtypes.vehicle.claims import claims_of
from node.views.texts import Sentence

Omission = Literal[
    "offer_lapses", "no_handover", "buyer_in_default", "does_not_count", "reservation_ends", "order_lapses",
    "order_goes_on", "sale_stands", "seller_is_barred", "debt_remains", "seller_not_barred", "debtor_is_barred",
    "claim_remains", "window_not_binding", "not_shown", "vote_begins", "undecided", "dispute_remains",
]  # fmt: skip


OMISSIONS: Final[dict[str, Sentence]] = {
    "offer_lapses": Sentence("The offer lapses, and nobody owes anything.",
                             "Das Angebot verfällt, und niemand schuldet etwas.", "报价失效，双方互不负债。"),
    "no_handover": Sentence("There is no handover until then; once the reservation is over, either side can end the "
                            "order.", "Bis dahin gibt es keine Übergabe; ist die Reservierung vorbei, kann jede Seite "
                            "den Auftrag beenden.", "在此之前不能交车；预留期满后任何一方均可终止订单。"),
    "buyer_in_default": Sentence("Three days after it was due the seller can end the order, and keeps the fee that was "
                                 "agreed on.", "Drei Tage nach der Fälligkeit kann der Verkäufer den Auftrag beenden "
                                 "und behält die vereinbarte Gebühr.", "逾期三天后卖方可终止订单并保留约定费用。"),
    "does_not_count": Sentence("The money does not count, and there is no handover.",
                               "Das Geld zählt nicht, und es gibt keine Übergabe.", "款项不计入，不能交车。"),
    "reservation_ends": Sentence("The car is free again, and all that was paid is owed back.",
                                 "Das Fahrzeug ist wieder frei, und alles Gezahlte ist zurückzugeben.",
                                 "车辆恢复可售，已付款项须全部退还。"),
    "order_lapses": Sentence("The order ends by itself at that time, and what was paid is owed back.",
                             "Der Auftrag endet dann von selbst, und Gezahltes ist zurückzugeben.",
                             "届时订单自动终止，已付款项须退还。"),
    "order_goes_on": Sentence("The order goes on.", "Der Auftrag läuft weiter.", "订单继续有效。"),
    "sale_stands": Sentence("The sale stands.", "Der Kauf gilt.", "买卖继续有效。"),
    "seller_is_barred": Sentence("The creditor can claim the refund, and until it is paid the seller sells nothing.",
                                 "Der Gläubiger kann die Erstattung anmahnen, und bis sie gezahlt ist, verkauft der "
                                 "Verkäufer nichts.", "债权人可催告退款，退款前卖方不得售车。"),
    "debt_remains": Sentence("The seller still owes the money, until the provider attests that it went back.",
                             "Der Verkäufer schuldet das Geld weiter, bis der Zahlungsdienst die Erstattung bestätigt.",
                             "在服务商证明退款之前，卖方仍欠此款。"),
    "seller_not_barred": Sentence("The debt remains, and the seller may go on selling.",
                                  "Die Schuld bleibt, und der Verkäufer darf weiter verkaufen.",
                                  "债务仍在，卖方可继续售车。"),
    "debtor_is_barred": Sentence("The claim remains, and its debtor deals in this car no more.",
                                 "Die Forderung bleibt, und der Schuldner handelt nicht mehr mit diesem Fahrzeug.",
                                 "债权仍在，债务人不得再交易此车。"),
    "claim_remains": Sentence("The claim remains, also if it was paid otherwise.",
                              "Die Forderung bleibt, auch wenn sie anders bezahlt wurde.",
                              "债权仍在，即使已另行支付。"),
    "window_not_binding": Sentence("The window binds nobody: the buyer cannot miss it.",
                                   "Das Fenster bindet niemanden: der Käufer kann es nicht versäumen.",
                                   "该时间窗无约束力，买方不算失约。"),
    "not_shown": Sentence("That the car was brought, or that the buyer was not there, is not shown; a handover needs "
                          "neither.", "Dass das Fahrzeug gebracht wurde oder der Käufer fehlte, ist nicht belegt; eine "
                          "Übergabe braucht beides nicht.", "送达或买方缺席没有记录；交车不需要这两项。"),
    "vote_begins": Sentence("The arbiters vote without an answer.", "Die Schiedsleute stimmen ohne Antwort ab.",
                            "仲裁员在无答复的情况下表决。"),
    "undecided": Sentence("The dispute ends undecided, and changes nothing.",
                          "Der Streitfall endet unentschieden und ändert nichts.", "争议无裁决结束，一切照旧。"),
    "dispute_remains": Sentence("The dispute stays open, and there is no handover.",
                                "Der Streitfall bleibt offen, und es gibt keine Übergabe.", "争议未决，不能交车。"),
}  # fmt: skip
"""What follows if a step is not taken."""
assert set(OMISSIONS) == set(get_args(Omission)), "each omission has a sentence"

_IF_OMITTED: Final[dict[str, Omission]] = {
    "order.accept": "offer_lapses", "order.counter": "offer_lapses", "order.reject": "offer_lapses",
    "order.acknowledge": "no_handover", "order.assign_vin": "no_handover", "payment.initiate": "buyer_in_default",
    "payment.attest": "does_not_count", "order.handover": "reservation_ends", "order.cancel": "order_lapses",
    "order.return": "sale_stands", "order.withdraw": "sale_stands", "payment.refund": "seller_is_barred",
    "payment.confirm_refund": "debt_remains", "order.claim_refund": "seller_not_barred",
    "delivery.confirm": "window_not_binding", "delivery.event": "not_shown", "claim.release": "claim_remains",
    "order.respond": "vote_begins", "order.resolve": "undecided", "order.close": "dispute_remains",
}  # fmt: skip


class OrderNextStep(OrderStep, frozen=True):
    """A step of `OrderNext`, and what follows if it is not taken. `reason`: of an order that would be cancelled, else
    empty. `text`: the same in one sentence, in the requested language."""

    reason: str = ""
    if_omitted: Omission = "order_goes_on"
    text: str = ""


class NextSteps(View, frozen=True):
    """What an order waits for, the most urgent first."""

    order: Id
    status: str
    steps: tuple[OrderNextStep, ...]


def next_steps(ident: str, order: Order, reader: Reader, as_of: AsOf, language: str = "en") -> NextSteps:
    """The steps of `OrderNext`, those about delivery, a dispute and claims, and what follows if they are not taken."""
    known = OrderNext.of(ident, order, reader, as_of)
    steps = [_told(step) for step in known.steps if step.type != "order.resolve"]
    steps += _of_dispute(order, reader, as_of.now_ms)
    if known.status == "accepted" and not order.dispute:
        steps += _of_delivery(order, as_of.now_ms)
    steps += _of_claims(ident, order, reader, is_over=known.status != "accepted")
    told = (replace(step, text=OMISSIONS[step.if_omitted].text(language)) for step in steps)
    return NextSteps(known.order, known.status, tuple(sorted(told, key=lambda step: step.until_ms or TIME_MAX_MS)))


def _told(step: OrderStep, reason: str = "", omitted: Omission | None = None) -> OrderNextStep:
    is_lapse = step.type == "order.cancel" and not reason
    found = omitted or _IF_OMITTED[step.type]
    return OrderNextStep(**asdict(step), reason="time_over" if is_lapse else reason, if_omitted=found)


def _of_dispute(order: Order, reader: Reader, now_ms: int) -> Iterator[OrderNextStep]:
    dispute = reader.get(ORDER_DISPUTE, order.dispute) if order.dispute else None
    if dispute is None:
        return
    match status_at(dispute, now_ms):
        case "awaiting_answer":
            answerer = (answering(order, dispute),)
            yield _told(OrderStep("order.respond", answerer, until_ms=dispute.answer_by_ms))
        case "voting":
            yield _told(OrderStep("order.resolve", (), until_ms=dispute.ends_at_ms))
        case "due":
            yield _told(OrderStep("order.close", ()))


def _of_delivery(order: Order, now_ms: int) -> Iterator[OrderNextStep]:
    """Steps of the delivery, and the buyer's rights to end an order whose car is late or was refused."""
    is_open = order.delivery_stage == "scheduled" and now_ms < order.window_to_ms
    if is_open and not order.is_window_confirmed:
        yield _told(OrderStep("delivery.confirm", (order.buyer,), until_ms=order.window_to_ms))
    if order.delivery_stage in ("scheduled", "picked_up", "in_transit"):
        drivers = tuple(who for who in (order.carrier, order.seller, order.agent) if who is not None)
        yield _told(OrderStep("delivery.event", drivers, until_ms=order.window_to_ms if is_open else 0))
    if order.refused_at_ms:
        refused = OrderStep("order.cancel", (order.buyer,), from_ms=order.refused_at_ms + CURE_MS + 1)
        yield _told(refused, "refused", "order_goes_on")
    if order.terms.deliver_by_ms:
        put_off = order.paused_ms + order.pausing_ms
        late = OrderStep("order.cancel", (order.buyer,), from_ms=order.terms.deliver_by_ms + put_off + 1)
        yield _told(late, "late_delivery", "order_goes_on")


def _of_claims(ident: str, order: Order, reader: Reader, *, is_over: bool) -> Iterator[OrderNextStep]:
    """The claims that the sale has left on its car: a buyer pays, and any creditor says that it is satisfied."""
    for claim in claims_of(reader, bytes.fromhex(ident)):
        if claim.debtor == order.buyer and is_over:
            pays = OrderStep("payment.initiate", (claim.debtor,), until_ms=claim.due_ms, leg=CLAIM_LEG,
                             amount=claim.amount)  # fmt: skip
            yield _told(pays, omitted="debtor_is_barred")
        yield _told(OrderStep("claim.release", (claim.creditor,), amount=claim.amount))
