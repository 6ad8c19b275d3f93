"""Conditions of a car that affect its sale (see `rules.sales`), and the guards that follow from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, Final

from msgspec import Meta

from node.ledger.family import Reader
from node.ledger.fields import SaleDisclosure
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.ruleset import Ruleset
from node.txtypes.members.member import has_role, is_fraudulent
from node.txtypes.vehicle.brands import brand_state, is_loss_provisional
from node.txtypes.vehicle.guards import STOP_FLAG
from node.txtypes.vehicle.regions import Flag, flags_at, is_retest_overdue
from node.txtypes.vehicle.vehicle import Vehicle, blocks_of, existence_now, material_root, verdict_now

Discloses = Annotated[tuple[SaleDisclosure, ...], Meta(max_length=4, description="what the seller says of the car")]

VERDICT_ILLOGICAL = Guard(
    "verdict_illogical",
    "the odometer readings contradict each other, and the other party has not agreed to that: disclose odometer in the "
    "listing or the transfer; in an accepted order the buyer sends order.acknowledge",
    "die Kilometerstände widersprechen sich, und die andere Partei hat dem nicht zugestimmt: im Inserat oder in der "
    "Übertragung odometer offenlegen; bei einem angenommenen Auftrag sendet der Käufer order.acknowledge",
    "里程读数矛盾，且对方尚未认可：请在挂牌或过户中披露 odometer；订单已接受的，由买方发送 order.acknowledge",
)
VERDICT_CONTESTED = Guard(
    "verdict_contested",
    "either one odometer reading is wrong or the odometer was turned back, and the other party has not agreed to that: "
    "disclose odometer in the listing or the transfer; in an accepted order the buyer sends order.acknowledge",
    "entweder ist ein Kilometerstand falsch, oder der Zähler wurde zurückgedreht, und die andere Partei hat dem nicht "
    "zugestimmt: im Inserat oder in der Übertragung odometer offenlegen; bei einem angenommenen Auftrag sendet der "
    "Käufer order.acknowledge",
    "或有一次里程读数错误，或里程表被回调，且对方尚未认可：请在挂牌或过户中披露 odometer；"
    "订单已接受的，由买方发送 order.acknowledge",
)
DUTY_OPEN = Guard("duty_open", "structural work on the car was not inspected and released yet",
                  "Arbeiten an tragenden Teilen sind noch nicht geprüft und freigegeben",
                  "结构性维修尚未检验放行")  # fmt: skip
UNROADWORTHY = Guard("unroadworthy", "the car failed its inspection, or a retest is overdue",
                     "das Fahrzeug hat die Prüfung nicht bestanden, oder die Nachprüfung ist überfällig",
                     "车辆检验不合格或复检逾期")  # fmt: skip
RECALL_STOP_DRIVE = Guard("recall_stop_drive", "an open recall says that the car must not be driven or must be parked "
                          "outside", "nach einem offenen Rückruf darf das Fahrzeug nicht gefahren oder nur im Freien "
                          "abgestellt werden", "存在禁止行驶或须室外停放的未完成召回")  # fmt: skip
TOTAL_LOSS = Guard("total_loss", "the car is a total loss", "das Fahrzeug ist ein Totalschaden", "车辆为全损车")
TOTAL_LOSS_PROVISIONAL = Guard(
    "total_loss_provisional",
    "an insurer has reported the car as a total loss within the last 30 days, and nobody else has confirmed it",
    "ein Versicherer hat das Fahrzeug innerhalb der letzten 30 Tage als Totalschaden gemeldet, und niemand sonst hat "
    "es bestätigt",
    "保险公司在过去 30 天内报告该车为全损，尚无他方确认",
)
CLEARANCE_VOID = Guard("clearance_void", "whoever cleared the car was revoked for fraud: it must be inspected again",
                       "wer das Fahrzeug freigegeben hat, wurde wegen Betrugs ausgeschlossen: es ist neu zu prüfen",
                       "放行人因欺诈被撤销资格，须重新检验")  # fmt: skip
DISCLOSURE_STALE = Guard("disclosure_stale", "the disclosed facts have changed",
                         "die offengelegten Angaben haben sich geändert", "披露信息已过时")  # fmt: skip
GUARD_OF: Final[dict[str, Guard]] = {
    "verdict_illogical": VERDICT_ILLOGICAL, "verdict_contested": VERDICT_CONTESTED,
    "duty_structural_release": DUTY_OPEN, "duty_rebuild": DUTY_OPEN, "retest_overdue": UNROADWORTHY,
    "unroadworthy": UNROADWORTHY, "recall_stop_drive": RECALL_STOP_DRIVE, "total_loss": TOTAL_LOSS,
    "total_loss_provisional": TOTAL_LOSS_PROVISIONAL, "clearance_void": CLEARANCE_VOID,
}  # fmt: skip
"""The guard of each condition that can block a step of a sale."""
_STEPS: Final = {"list": 0, "offer": 1, "accept": 1, "handover": 2, "transfer": 3}
"""The place of each step of a sale in `SaleRule.effects`."""


def conditions_of(reader: Reader, vin: str, vehicle: Vehicle, now_ms: int, rules: Ruleset) -> Iterator[str]:
    """The conditions of `rules.sales` that apply to the car now, except an open dispute, which only answers show."""
    verdict = verdict_now(reader, vin, vehicle, rules)
    if verdict in ("ILLOGICAL", "CONTESTED"):
        yield f"verdict_{verdict.lower()}"
    if any(brand_state(brand, now_ms) in ("pending", "undecided") for brand in vehicle.brands):
        yield "brand_open"
    for state in ("confirmed", "reported"):
        if any(alert.state == state for alert in vehicle.alerts):
            yield f"alert_{state}"
    if vehicle.registration.claim is not None:
        yield "registration_claim"
    for code in sorted({duty.code for duty in vehicle.duties if duty.due_ms <= now_ms}):
        yield f"duty_{code}"
    if is_retest_overdue(vehicle.inspection, now_ms):
        yield "retest_overdue"
    if any(flag.name == "unroadworthy" for flag in flags_at(vehicle.flags, now_ms)):
        yield "unroadworthy"
    for recall_class in sorted({recall.recall_class for recall in vehicle.recalls}):
        yield f"recall_{recall_class}"
    if existence_now(vehicle, now_ms) == "total_loss":
        yield "total_loss"
    if is_loss_provisional(vehicle.loss, now_ms):
        yield "total_loss_provisional"
    if any(is_fraudulent(reader, clearance.author, clearance.at_ms) for clearance in vehicle.clearances):
        yield "clearance_void"


def check_step(
    ledger: Ledger, vin: str, vehicle: Vehicle, step: str, disclosed: Collection[str], receiver: bytes = b"",
    *, signed_by: Collection[bytes] = (),
) -> None:  # fmt: skip
    """Notes every stop-flag and every condition that blocks a step of a sale. `step`: list, offer, accept, handover or
    transfer. `disclosed`: what the seller disclosed and the other party agreed to. `signed_by`: signers other than the
    parties, such as a bank whose lien ends with the step."""
    check_flags(ledger, vin, vehicle, step, signed_by=signed_by)
    table = ledger.rules.tables.sale_rules
    for condition in conditions_of(ledger, vin, vehicle, ledger.now_ms, ledger.rules):
        rule = table[condition]
        match rule.effects[_STEPS[step]]:
            case "disclosed" | "acknowledged" if rule.discloses:
                is_met, need = rule.discloses in disclosed, f"disclosed: {rule.discloses}"
            case "trade_only":
                is_met, need = has_role(ledger, receiver, *rule.trade), f"a receiver who is {' or '.join(rule.trade)}"
            case "blocked":
                is_met, need = False, ""
            case _:  # what is to be acknowledged and not disclosed is material: see `Order.is_agreed`
                continue
        if not is_met:
            ledger.unmet(GUARD_OF[condition], vin, condition, need)


def check_flags(
    ledger: Ledger, vin: str, vehicle: Vehicle, operation: str, *, signed_by: Collection[bytes] = ()
) -> None:
    """Notes every stop-flag that blocks `operation`. `signed_by`: signers other than the parties. A flag does not block
    the operation if a role that may permit it signs; a lien does not block it if its own bank signs."""
    for flag in flags_at(vehicle.flags, ledger.now_ms):
        if operation in blocks_of(flag, ledger.rules) and not _is_let_pass(ledger, flag, operation, signed_by):
            ledger.unmet(STOP_FLAG, vin, flag.name, f"no flag that blocks {operation}")


def _is_let_pass(ledger: Ledger, flag: Flag, operation: str, signed_by: Collection[bytes]) -> bool:
    rule = ledger.rules.tables.stop_flags[flag.name]
    if operation not in rule.unless:
        return False
    if rule.count_max > 1:
        return flag.setter in signed_by
    return any(has_role(ledger, signer, rule.unless[operation]) for signer in signed_by)


def consenting(ledger: Ledger, vehicle: Vehicle, operation: str) -> tuple[bytes, ...]:
    """The accounts that must sign an operation because of a flag that they have set, such as a bank with a lien."""
    rules = ledger.rules.tables.stop_flags
    live = flags_at(vehicle.flags, ledger.now_ms)
    return tuple(flag.setter for flag in live if operation in rules[flag.name].unless)


def check_shown(ledger: Ledger, vin: str, vehicle: Vehicle, root: bytes) -> None:
    """Notes `disclosure_stale` unless `root`, which the signer names, is the car's material root at present."""
    now = material_root(vin, vehicle)
    if root != now:
        ledger.unmet(DISCLOSURE_STALE, vin, root.hex(), now.hex())
