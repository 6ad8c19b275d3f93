"""What is looked at before each step of a sale, as people are told it: what holds, and what does not."""

from __future__ import annotations

import re
from typing import Final, Literal

from node.ledger.guards import Unmet
from node.views.texts import Sentence, show_amount

Step = Literal["list", "accept", "handover"]

HELD: Final[dict[str, Sentence]] = {
    "market_live": Sentence("The car is neither listed nor reserved.", "Das Fahrzeug ist weder inseriert noch "
                            "reserviert.", "车辆未挂牌也未预定。"),
    "odometer_stale": Sentence("The newest odometer reading is recent.", "Der neueste Kilometerstand ist aktuell.",
                               "最近一次里程读数有效。"),
    "seller_barred": Sentence("The seller is neither suspended nor revoked for fraud.", "Der Verkäufer ist weder "
                              "suspendiert noch wegen Betrugs ausgeschlossen.", "卖方未被暂停，也未因欺诈被撤销。"),
    "refund_overdue": Sentence("The seller owes no overdue refund.", "Der Verkäufer schuldet keine überfällige "
                               "Erstattung.", "卖方没有逾期未退的款项。"),
    "claims_open": Sentence("Nobody who deals owes money for this car.", "Keine Partei schuldet Geld für dieses "
                            "Fahrzeug.", "交易各方均不欠此车款项。"),
    "stop_flag": Sentence("No stop-flag blocks this step.", "Kein Sperrvermerk verhindert diesen Schritt.",
                          "没有阻止此步骤的禁止标记。"),
    "verdict_illogical": Sentence("The odometer readings do not contradict each other, or it was agreed to.",
                                  "Die Kilometerstände widersprechen sich nicht, oder dem wurde zugestimmt.",
                                  "里程读数无矛盾，或对方已认可。"),
    "verdict_contested": Sentence("No odometer reading is contested, or it was agreed to.", "Kein Kilometerstand ist "
                                  "strittig, oder dem wurde zugestimmt.", "里程读数无争议，或对方已认可。"),
    "duty_open": Sentence("No structural work waits for its release.", "Keine Arbeit an tragenden Teilen wartet auf "
                          "ihre Freigabe.", "没有待放行的结构性维修。"),
    "unroadworthy": Sentence("The car has not failed its inspection.", "Das Fahrzeug ist durch keine Prüfung gefallen.",
                             "车辆检验合格。"),
    "recall_stop_drive": Sentence("No open recall forbids driving.", "Kein offener Rückruf verbietet das Fahren.",
                                  "没有禁止行驶的未完成召回。"),
    "total_loss": Sentence("The car is no total loss, or its buyer may take one.", "Das Fahrzeug ist kein "
                           "Totalschaden, oder der Käufer darf einen übernehmen.",
                           "车辆不是全损车，或买方有资格接收。"),
    "total_loss_provisional": Sentence("No insurer has reported a total loss that is not confirmed yet.", "Kein "
                                       "Versicherer hat einen noch unbestätigten Totalschaden gemeldet.",
                                       "没有未确认的全损报告。"),
    "clearance_void": Sentence("Nobody who cleared the car was revoked for fraud.", "Niemand, der das Fahrzeug "
                               "freigegeben hat, wurde wegen Betrugs ausgeschlossen.", "放行人未因欺诈被撤销。"),
    "listing_closed": Sentence("The listing is open.", "Das Inserat ist offen.", "挂牌开放。"),
    "listing_version": Sentence("The listing has not changed since the offer.", "Das Inserat ist seit dem Angebot "
                                "unverändert.", "挂牌自报价以来未变更。"),
    "disclosure_stale": Sentence("What was shown of the car is still so.", "Was vom Fahrzeug gezeigt wurde, gilt noch.",
                                 "已披露的车辆信息仍然有效。"),
    "order_reserved": Sentence("No other order reserves the car.", "Kein anderer Auftrag reserviert das Fahrzeug.",
                               "没有其他订单预定此车。"),
    "provider_unaccredited": Sentence("Every payment provider is accredited.", "Jeder Zahlungsdienst ist zugelassen.",
                                      "所有支付服务商均已获认可。"),
    "rail_forbidden": Sentence("No country of the deal forbids a way of payment.", "Kein beteiligtes Land verbietet "
                               "einen Zahlweg.", "交易涉及的国家均未禁止所用支付方式。"),
    "order_status": Sentence("The order has reached this step.", "Der Auftrag ist bei diesem Schritt.",
                             "订单已到此步骤。"),
    "order_expired": Sentence("The order is within its time.", "Der Auftrag ist in seiner Frist.", "订单在有效期内。"),
    "order_disputed": Sentence("No dispute about the order is open.", "Kein Streitfall zum Auftrag ist offen.",
                               "订单没有未决争议。"),
    "payment_not_final": Sentence("The price is paid, and the money is final.", "Der Preis ist bezahlt, und das Geld "
                                  "ist endgültig.", "价款已付且已最终到账。"),
    "acknowledgement_missing": Sentence("The buyer has agreed to the car as it is now.", "Der Käufer hat dem Fahrzeug "
                                        "zugestimmt, wie es jetzt ist.", "买方已认可车辆现状。"),
    "not_the_holder": Sentence("Who gives a car away holds its title.", "Wer ein Fahrzeug abgibt, hat seinen Titel.",
                               "交出车辆的一方持有其产权。"),
    "order_not_reserving": Sentence("The order reserves its cars.", "Der Auftrag reserviert seine Fahrzeuge.",
                                    "订单已预定车辆。"),
}  # fmt: skip
"""Guard to the sentence that it holds."""

_CAR: Final = (
    "stop_flag", "verdict_illogical", "verdict_contested", "duty_open", "unroadworthy", "recall_stop_drive",
    "total_loss", "total_loss_provisional", "clearance_void",
)  # fmt: skip
CHECKS: Final[dict[Step, tuple[str, ...]]] = {
    "list": ("market_live", *_CAR, "odometer_stale", "seller_barred", "refund_overdue", "claims_open"),
    "accept": (
        "order_status", "order_expired", "listing_closed", "listing_version", "disclosure_stale", "order_reserved",
        *_CAR, "provider_unaccredited", "rail_forbidden", "seller_barred", "refund_overdue", "claims_open",
    ),
    "handover": (
        "order_status", "order_expired", "order_disputed", "payment_not_final", "acknowledgement_missing",
        "not_the_holder", "order_not_reserving", *_CAR,
    ),
}  # fmt: skip
"""The guards that every answer about a step names, whether they hold or not. Others are named where they do not."""

_HASH = re.compile(r"\b[0-9a-f]{64}\b,? ?")
_AMOUNTS: Final = ("payment_not_final",)
"""Guards whose values are minor units."""


def unmet_text(guard: Unmet, language: str, currency: str) -> str:
    """A sentence that a guard does not hold, with what there is and what it needs. Ids and hashes are left out, which
    no person compares; amounts are written with the order's `currency`."""
    have, need = (_value(guard.code, value, currency) for value in (guard.have, guard.need))
    text = Unmet(guard.code, "", have, need).text(language)
    return text[0].upper() + text[1:] + ("。" if language == "zh" else ".")


def _value(code: str, value: str, currency: str) -> str:
    if code in _AMOUNTS and value.isdecimal():
        return show_amount(int(value), currency)
    return _HASH.sub("", value)
