"""`vehicle.total_loss` records that an insurer writes a car off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from msgspec.structs import replace

from node import limits
from node.crypto.addresses import to_text
from node.ledger.example import Example
from node.ledger.fields import DamageCause, Hash32, TotalLossCategory, Vin
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.rules.outcomes import BEFORE_IMPORT, PROVISIONAL
from node.txtypes.identity.quota import check_acts, count_act
from node.txtypes.members.conduct import (
    LOSSES_MAX,
    add_provisional_loss,
    drop_provisional_loss,
    provisional_losses,
)
from node.txtypes.members.mandate import MANDATE_MISSING
from node.txtypes.members.member import is_fraudulent
from node.txtypes.sale.listing import take_off_market
from node.txtypes.service.damage import DAMAGE_ALONE
from node.txtypes.vehicle.alerts import alerted, told_late
from node.txtypes.vehicle.brands import BRAND_CONFIRMED_MS, BrandState, Loss
from node.txtypes.vehicle.conditions import check_flags
from node.txtypes.vehicle.guards import check_act_time
from node.txtypes.vehicle.record import Effect
from node.txtypes.vehicle.relation import related
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.stop_flags import rests_until, start_cooldown
from node.txtypes.vehicle.tellers import with_told
from node.txtypes.vehicle.title import with_title
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, existence_now

KEPT_FLAGS: Final = ("stolen", "lien")
"""Stop-flags that neither end nor block when the title moves to the insurer, since it has paid for the car as it is."""

ALREADY_TOTAL_LOSS = Guard("already_total_loss", "the car is a total loss, or this insurer has reported it as one",
                           "das Fahrzeug ist ein Totalschaden, oder dieser Versicherer hat es als solchen gemeldet",
                           "车辆已为全损，或该保险公司已报告过")  # fmt: skip
LOSS_COOLDOWN = Guard("loss_cooldown", "the insurer, or its group, has reported this car as a total loss alone within "
                      "180 days, or too many others have set something provisional on it: the holder must sign",
                      "der Versicherer oder seine Gruppe hat dieses Fahrzeug in den letzten 180 Tagen allein als "
                      "Totalschaden gemeldet, oder zu viele andere haben Vorläufiges daran gesetzt: der Halter muss "
                      "unterschreiben",
                      "该保险公司或其集团 180 天内已单独报告该车全损，或临时设置者过多：须所有人签名")  # fmt: skip
LOSSES_OPEN = Guard("losses_open", "the insurer has too many provisional total losses of all cars together",
                    "der Versicherer hat zu viele vorläufige Totalschäden an allen Fahrzeugen zusammen",
                    "该保险公司在所有车辆上的临时全损过多")  # fmt: skip


class TotalLoss(Report, tag="vehicle.total_loss", frozen=True):
    """Record that an insurer writes a car off. If the holder signs, the car is a total loss at once: its listing and
    its offers end, and in an open order money can only go back. Without the holder's signature the total loss is
    provisional: the car cannot be handed over for 30 days, and then it is a total loss unless somebody disputes it. A
    second, unrelated insurer confirms it at once. An insurer and its group report a car alone once in 180 days, also if
    the record was amended, and an insurer has 16 provisional total losses alive at most. `category`: see
    `rules.brands`; cars of A and B never return to the road. `takes_title`: the title moves to the insurer, with its
    liens, which needs the holder's signature. `settlement`: commitment to the agreement. A loss of an imported car
    before its import leaves only its brands and the alert `late_disclosure`."""

    vin: Vin
    category: TotalLossCategory
    cause: DamageCause
    takes_title: bool
    settlement: Hash32
    weight: ClassVar[int] = 150
    by: ClassVar[Author] = Author("insurer")
    headline: ClassVar[tuple[str, ...]] = ("category", "cause", "takes_title")
    EXAMPLE: ClassVar[Example] = Example("insurer-1", {
        "vin": "WBA8E9G50GNU12345", "category": "S", "cause": "collision", "takes_title": False,
        "settlement": "00" * 32, "odometer": None, "event_at": "now",
        "where": {"site": "", "vin_source": "document", "model_seen": "330I"}, "holder_signs": True,
    }, ("buyer-1",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        """The holder itself, if it signs. An agent with the right to present a car cannot write it off."""
        vehicle = ledger.get(VEHICLE, self.vin) if self.holder_signs or self.takes_title else None
        return (vehicle.holder,) if vehicle is not None else ()

    def is_acknowledged(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        return vehicle.holder == ledger.sender or self.holder_signs or self.takes_title

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        if self.mandate is not None:
            ledger.unmet(MANDATE_MISSING, self.mandate.hex(), need="the holder's own signature")
        if vehicle is None:
            return
        is_alone = not self.is_acknowledged(ledger, vehicle)
        if is_alone:
            check_acts(ledger, DAMAGE_ALONE, limits.DAMAGE_ALONE_PER_DAY_MAX)
        if self._is_before_import(vehicle):
            if is_alone:
                self._check_rest(ledger)
            return
        check_act_time(ledger, self.vin, self.event_at_ms)
        is_told, is_second = self._is_pending(vehicle) and is_alone, self._is_second(ledger, vehicle)
        if existence_now(vehicle, ledger.now_ms) == "total_loss" or (is_told and not is_second):
            ledger.unmet(ALREADY_TOTAL_LOSS, self.vin)
        elif is_alone and not is_second:
            self._check_provisional(ledger)
        if self.takes_title:
            others = tuple(flag for flag in vehicle.flags if flag.name not in KEPT_FLAGS)
            check_flags(ledger, self.vin, replace(vehicle, flags=others), "transfer")

    def _check_provisional(self, ledger: Ledger) -> None:
        """Notes why the insurer may not report the loss alone: it blocks the handover for 30 days each time."""
        self._check_rest(ledger)
        alive = provisional_losses(ledger, ledger.sender, ledger.now_ms)
        if len(alive) >= LOSSES_MAX:
            ledger.unmet(LOSSES_OPEN, to_text(ledger.sender), len(alive), f"at most {LOSSES_MAX}")

    def _check_rest(self, ledger: Ledger) -> None:
        until_ms = rests_until(ledger, self.vin)
        if until_ms:
            ledger.unmet(LOSS_COOLDOWN, self.vin, need=f"from {time_to_text(until_ms)} on")

    def _is_before_import(self, vehicle: Vehicle) -> bool:
        """Whether the loss belongs to an imported car's earlier life. The title cannot be taken for such a loss."""
        is_earlier = vehicle.origin == "imported" and self.event_at_ms < vehicle.covered_since_ms
        return is_earlier and not self.takes_title

    @staticmethod
    def _is_pending(vehicle: Vehicle) -> bool:
        """Whether an insurer has reported a total loss that is not confirmed, pending or undecided."""
        return vehicle.loss is not None and vehicle.loss.state in ("pending", "undecided")

    def _is_second(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether an unrelated insurer has already reported the total loss."""
        loss = vehicle.loss
        return (
            loss is not None and self._is_pending(vehicle)
            and not related(ledger, loss.author, ledger.sender, self.vin, self.event_at_ms)
            and not is_fraudulent(ledger, loss.author, loss.since_ms)
        )  # fmt: skip

    def _brands(self, ledger: Ledger) -> Iterator[str]:
        """The brands that the record leaves, at most three."""
        yield from ledger.rules.tables.total_loss_categories[self.category]
        if brand := ledger.rules.tables.damage_causes[self.cause]:
            yield brand

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        now_ms, sequence, codes = ledger.now_ms, vehicle.record_count, tuple(self._brands(ledger))
        is_acknowledged = self.is_acknowledged(ledger, vehicle)
        is_second = self._is_second(ledger, vehicle) and not self._is_before_import(vehicle)
        said_before = vehicle.loss.brands if is_second and vehicle.loss is not None else ()
        if not is_acknowledged:
            count_act(ledger, DAMAGE_ALONE)
        brands = vehicle.brands
        for code in codes:
            is_confirmed = is_acknowledged or code in said_before
            brands = with_told(ledger, self.vin, brands, code, sequence, is_confirmed=is_confirmed)
        vehicle = replace(vehicle, brands=brands)
        if self._is_before_import(vehicle):
            if not is_acknowledged:
                start_cooldown(ledger, self.vin)
            late = alerted(ledger, self.vin, vehicle, ("late_disclosure",))
            return Effect(late.vehicle, (BEFORE_IMPORT, *late.outcome), is_material=True)
        is_firm = is_acknowledged or is_second
        state: BrandState = "confirmed" if is_firm else "pending"
        if vehicle.loss is not None and self._is_pending(vehicle):
            drop_provisional_loss(ledger, vehicle.loss.author, vehicle.loss.since_ms + BRAND_CONFIRMED_MS)
        if not is_firm:
            start_cooldown(ledger, self.vin)
            add_provisional_loss(ledger, ledger.sender, now_ms + BRAND_CONFIRMED_MS)
        confirms = vehicle.loss.sequence if is_second and vehicle.loss is not None else -1
        loss = Loss(self.category, state, now_ms, sequence, 0, ledger.sender, codes, confirms)
        vehicle = replace(vehicle, loss=loss)
        told = told_late(
            ledger, self.vin, Effect(vehicle, () if is_firm else (PROVISIONAL,), is_material=True), self.event_at_ms
        )  # fmt: skip
        if not is_firm:
            return told
        vehicle = take_off_market(ledger, told.vehicle, "vehicle.total_loss")
        if self.takes_title and vehicle.holder != ledger.sender:
            vehicle = with_title(ledger, self.vin, vehicle, ledger.sender)
        return Effect(vehicle, told.outcome, is_material=True)
