"""The chapter of the story in which the car is sold: part in money, part with a car, the rest on credit."""

from __future__ import annotations

import json
import secrets
import uuid
from typing import Any, Final

from node.cli.stage import Stage, StoryFailed, step
from node.limits import DAY_MS

PRICE: Final = 5_290_000
TAX: Final = {"scheme": "standard", "rate_permille": 190, "amount": 844_622}
TRADED, DEPOSIT = 1_200_000, 500_000
CREDIT: Final = PRICE - TRADED - DEPOSIT
OVERPAID: Final = 10_000
FEE: Final = 100_000
MOVEMENTS: Final = 3
"""The deposit, the credit and the refund."""
RAILS: Final[tuple[dict[str, Any], ...]] = (
    {"rail": "bank_transfer", "providers": ["payment-provider-1"]},
    {"rail": "finance", "providers": ["bank-1"]},
    {"rail": "trade_in", "providers": []},
)
OLD_CAR: Final = ("0.1", "0.2", "6.1.1", "7.11", "O1", "O2", "O3", "O4")
"""Items that the inspection for an import looks at."""
LETTERS: Final = ("The second key is missing.", "It is on its way.")
"""What the buyer writes after the delivery, and what the dealer answers."""


def euros(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}EUR"


class Purchase:
    """A dealer sells a car to a buyer who gives an older one in payment; the title moves against the money."""

    def __init__(self, stage: Stage, vin: str, buyer: str) -> None:
        self.stage = stage
        self.vin = vin
        self.buyer = buyer
        self.old = f"JTDKB20U0935{vin[-5:]}"
        self._secret = stage.folder / "provider-secret"
        if not self._secret.exists():
            self._secret.write_bytes(secrets.token_bytes(32))
        self._entries: list[str] = []
        self._letters: list[str] = []

    def play(self) -> None:
        """Raises `StoryFailed`."""
        listing = self._offered()
        order = self._agreed(listing)
        self._entries, self._letters = self._booked(), self._written()
        payment = self._paid(order)
        self._delivered(order, payment)

    # --- the chapters ---
    def _offered(self) -> str:
        self.stage.heading(f"Retail sale to {self.buyer}: {euros(PRICE)}, part of it with an older car")
        account = step(
            f"opens an account for {self.buyer}", "account.open", "--keys", self.buyer, "--threshold", "1",
            sender="dealer-munich", cosigners=(self.buyer,),
        )  # fmt: skip
        listed = step(
            f"lists the car at {euros(PRICE)}", "listing.create", "--vin", self.vin, "--price", euros(PRICE),
            "--tax", json.dumps(TAX), "--country", "DE", "--contracts", "on_premises", "--expires-at", "+30d",
            *(word for rail in RAILS for word in ("--rails", json.dumps(rail))), sender="dealer-munich",
        )  # fmt: skip
        imported = step(
            f"takes {self.buyer}'s older car onto the chain, inspected", "vehicle.import", "--vin", self.old,
            "--model", "PRIUS", "--plant", "TSUTSUMI", "--powertrain", "hev", "--odometer-unit", "km",
            "--vin-scheme", "EU", "--produced-year", "2019", "--first-registered-on", "2019-05-02",
            "--origin-country", "JP", "--grade", "C", "--holder", self.buyer, "--inspector", "inspector-2",
            *(word for item in OLD_CAR for word in ("--findings", f"item={item}")),
            "--title-evidence", secrets.token_hex(32), "--odometer", "58000km",
            "--where", "site=,vin_source=scan,model_seen=PRIUS",
            sender="dealer-munich", cosigners=("inspector-2", self.buyer),
            expected={"vin": self.old, "holder": self.buyer, "inspector": "inspector-2", "odometer": "58000km"},
        )  # fmt: skip
        self.stage.send_all(account)
        listing, _ = self.stage.send_all(listed, imported)
        return listing

    def _terms(self) -> str:
        """Paid with the older car, a deposit by transfer, and a credit whose lender gets a lien on the car sold."""

        def leg(kind: str, rail: str, provider: str | None, amount: int, days: int) -> dict[str, Any]:
            return {
                "kind": kind, "rail": rail, "provider": provider, "custody": "direct", "amount": amount,
                "due_ms": days * DAY_MS,
            }  # fmt: skip

        shown = self.stage.next_node().get(f"/v1/vehicles/{self.old}/report")["material_root"]
        return json.dumps({
            "price": {"amount": str(PRICE), "currency": "EUR"}, "tax": TAX, "fees": [],
            "legs": [
                leg("trade_in", "trade_in", None, TRADED, 0),
                leg("deposit", "bank_transfer", "payment-provider-1", DEPOSIT, 3),
                leg("finance", "finance", "bank-1", CREDIT, 14),
            ],
            "trade_in": {
                "vin": self.old, "taker": "dealer-munich", "odometer_max": 60_000, "material_root": shown,
                "condition": None,
            },
            "finance": {"lender": "bank-1", "title_to": "buyer", "takes_lien": True},
            "contract": "on_premises", "cancel_fee": FEE, "reserve_ms": 30 * DAY_MS, "deliver_by": "", "text": None,
        })  # fmt: skip

    @property
    def _sale(self) -> dict[str, str]:
        """What whoever signs agrees to."""
        return {
            "vin": self.vin, "price": euros(PRICE), "seller": "dealer-munich", "buyer": self.buyer,
            "title_to": self.buyer, "trade_in_vin": self.old,
        }  # fmt: skip

    def _agreed(self, listing: str) -> str:
        order = self.stage.send(
            "offers the price, bound to the disclosed history", "order.offer", "--listing", listing,
            "--terms", self._terms(), "--expires-at", "+7d", sender=self.buyer,
            expected={"vin": self.vin, "seller": "dealer-munich", "kept_if_buyer_leaves": euros(FEE)},
        )  # fmt: skip
        self.stage.send(
            "accept, both on the premises; both cars are reserved", "order.accept", "--order", order,
            sender="dealer-munich", cosigners=(self.buyer,), expected=self._sale | {"kept_if_buyer_leaves": euros(FEE)},
        )  # fmt: skip
        return order

    def _paid(self, order: str) -> str:
        """The payment of the deposit, which the buyer overpays."""

        def initiate(what: str, place: int, scheme: str, amount: int, provider: str) -> Any:
            rail = "finance" if provider == "bank-1" else "bank_transfer"
            return step(
                what, "payment.initiate", "--order", order, "--leg", str(place), "--scheme", scheme,
                "--amount", euros(amount), sender=self.buyer,
                expected={"vin": self.vin, "seller": "dealer-munich", "provider": provider, "rail": rail},
            )  # fmt: skip

        scheduled = step(
            "names the window of the delivery, and the carrier", "delivery.schedule", "--order", order, "--site", "",
            "--window-from", "+1d", "--window-to", "+2d", "--carrier", "carrier-1", sender="dealer-munich",
        )  # fmt: skip
        confirmed = step(
            "confirms the window", "delivery.confirm", "--order", order, "--number", "0", sender=self.buyer
        )  # fmt: skip
        deposit, credit, _ = self.stage.send_all(
            initiate("orders the bank transfer of the deposit", 1, "sct", DEPOSIT, "payment-provider-1"),
            initiate("calls the credit", 2, "credit", CREDIT, "bank-1"),
            scheduled,
        )
        self.stage.refuses(
            "payment_not_final", "tries the handover before the money is there: rejected", self._handover(order, 0)
        )  # fmt: skip
        self.stage.send_all(
            self._attest(deposit, 0, "settled", DEPOSIT + OVERPAID, "payment-provider-1", "comes, 100.00EUR too much"),
            self._attest(credit, 0, "settled", CREDIT, "bank-1", "is paid out"),
            confirmed,
        )
        return deposit

    def _booked(self) -> list[str]:
        """Names of booked entries for the movements of money. An entry of an account can be guessed, so it is keyed."""
        command = ("bmw-wallet", "ref", "payment", "--secret-file", str(self._secret))
        printed = self.stage.run_all([(*command, f"{self.vin}-{number}", "--json") for number in range(MOVEMENTS)])
        return [str(json.loads(text)["entry"]) for text in printed]

    def _written(self) -> list[str]:
        """Salted hashes of the letters of the complaint; the letters themselves stay with those who wrote them."""
        printed = self.stage.run_all(
            [("bmw-wallet", "ref", "commitment", "letter", text, "--json") for text in LETTERS]
        )
        return [str(json.loads(text)["commitment"]) for text in printed]

    def _attest(self, payment: str, sequence: int, kind: str, amount: int, provider: str, what: str) -> Any:
        """A movement of money."""
        entry = self._entries.pop()
        reference = {"entry": entry, "uetr": uuid.uuid4().hex if provider != "bank-1" else None}
        return step(
            f"attests that the money {what}", "payment.attest", "--payment", payment, "--sequence", str(sequence),
            "--kind", kind, "--amount", euros(amount), "--reference", json.dumps(reference), "--executed-at", "now",
            sender=provider,
        )  # fmt: skip

    def _handover(self, order: str, owed: int) -> Any:
        return step(
            "hands the car over; both titles move, the bank has its lien", "order.handover", "--order", order,
            "--odometer", "21km", "--trade-odometer", "58200km", sender="dealer-munich", cosigners=(self.buyer,),
            expected=self._sale | {"goes_back": euros(owed)},
        )  # fmt: skip

    def _delivered(self, order: str, payment: str) -> None:
        self.stage.send(
            "brings the car", "delivery.event", "--order", order, "--stage", "arrived", "--site", "",
            "--odometer", "20km", sender="carrier-1",
        )  # fmt: skip
        self.stage.send_all(self._handover(order, OVERPAID))
        complaint, answer = self._letters
        refund = step(
            "has what came beyond the price sent back", "payment.refund", "--payment", payment,
            "--amount", euros(OVERPAID), sender="dealer-munich",
            expected={"vin": self.vin, "provider": "payment-provider-1", "creditor": self.buyer},
        )  # fmt: skip
        _, case = self.stage.send_all(refund, step(
            "complains that the second key is missing", "case.open", "--member", "dealer-munich", "--order", order,
            "--channel", "online", "--category", "COMPLAINT", "--content", complaint, sender=self.buyer,
        ))  # fmt: skip
        self.stage.send_all(
            self._attest(payment, 1, "refunded", OVERPAID, "payment-provider-1", f"is back with {self.buyer}"),
            step(
                "answers that it is on its way", "case.reply", "--case", case, "--sequence", "0", "--content", answer,
                sender="dealer-munich",
            ),
        )  # fmt: skip
        self.stage.send(
            "has the key, and closes the case", "case.close", "--case", case, "--outcome", "solved", sender=self.buyer
        )  # fmt: skip
        self._check(order, case)

    def _check(self, order: str, case: str) -> None:
        """Raises `StoryFailed` where a title or an amount is not where the deal puts it, or the case is open still."""
        node = self.stage.next_node()
        told, old = node.get(f"/v1/orders/{order}"), node.get(f"/v1/vehicles/{self.old}")
        dealer = told["seller"]
        if told["status"] != "completed" or told["debts"]:
            raise StoryFailed(f"the order is {told['status']} and owes {told['debts']}, not completed without a debt")
        if (status := node.get(f"/v1/cases/{case}")["status"]) != "closed":
            raise StoryFailed(f"the case is {status}, not closed")
        if old["holder"] != dealer:
            raise StoryFailed(f"the title of the car in payment is with {old['holder']}, not with {dealer}")
        self.stage.tell("dealer-munich", "has the title of the car in payment, and owes nobody anything", self.old)
