"""`vehicle.register`: a manufacturer brings a car onto the chain; its title starts there."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from node import limits
from node.errors import Malformed
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Code, Codes, Day, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.rules.odometer import Unit
from node.rules.vin import has_valid_check_digit, has_valid_year_code
from node.txtypes.members.member import Roles
from node.txtypes.vehicle.guards import EVENT_IN_FUTURE
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.vehicle import VEHICLE, VinScheme, new_vehicle

Powertrain = Literal["bev", "phev", "hev", "petrol", "diesel", "fcev"]

# fmt: off
VEHICLE_EXISTS = Guard("vehicle_exists", "the vehicle was born before", "das Fahrzeug ist schon registriert",
                       "车辆已登记")
VIN_CHECK_DIGIT = Guard("vin_check_digit", "the check digit is wrong", "die Prüfziffer ist falsch", "校验位错误")
VIN_YEAR_CODE = Guard("vin_year_code", "the model year code is not allowed", "der Modelljahrcode ist nicht erlaubt",
                      "年款代码无效")
# fmt: on


class VehicleRegister(TransactionBody, tag="vehicle.register", frozen=True):
    """Register a new car; only a manufacturer whose accreditation covers the WMI can. The title starts with it."""

    vin: Vin
    model: Code
    configuration: Codes
    plant: Code
    produced_on: Day
    powertrain: Powertrain
    odometer_unit: Unit
    vin_scheme: VinScheme
    engine_serial: Annotated[str, Meta(pattern=r"^[A-Z0-9./_-]*\Z", max_length=limits.CODE_LENGTH_MAX)]
    weight: ClassVar[int] = 150
    by: ClassVar[Roles] = Roles("manufacturer", wmi=lambda body: body.vin[:3])
    headline: ClassVar[tuple[str, ...]] = ("model", "plant", "powertrain")
    EXAMPLE: ClassVar[Example] = Example(
        "bmw",
        {
            "vin": "WBA8E9G50GNU12345",
            "model": "330I",
            "configuration": ["S205A", "P337A"],
            "plant": "MUC",
            "produced_on": "2025-12-01",
            "powertrain": "petrol",
            "odometer_unit": "km",
            "vin_scheme": "EU",
            "engine_serial": "B48B20",
        },
    )

    def check_static(self) -> None:
        try:
            produced = date.fromisoformat(self.produced_on)
        except ValueError:
            raise Malformed(f"produced_on: {self.produced_on} is no calendar day") from None
        if produced.year < 1970:  # the birth is a time, and times count from 1970
            raise Malformed(f"produced_on: {self.produced_on} is before 1970")

    def guards(self, ledger: Ledger) -> None:
        if self.vin_scheme in ("NA", "CN"):
            if not has_valid_check_digit(self.vin):
                ledger.unmet(VIN_CHECK_DIGIT, self.vin, self.vin[8])
            if not has_valid_year_code(self.vin):
                ledger.unmet(VIN_YEAR_CODE, self.vin, self.vin[9])
        if ledger.get(VEHICLE, self.vin) is not None:
            ledger.unmet(VEHICLE_EXISTS, self.vin)
        if self._produced_ms() > ledger.now_ms + DAY_MS:
            ledger.unmet(EVENT_IN_FUTURE, self.vin, self.produced_on)

    def _produced_ms(self) -> int:
        return (date.fromisoformat(self.produced_on) - date(1970, 1, 1)).days * DAY_MS

    def apply(self, ledger: Ledger) -> None:
        born = min(self._produced_ms(), ledger.now_ms)
        vehicle = new_vehicle(
            ledger.sender,
            born,
            ledger.now_ms,
            ledger.block.height,
            model=self.model,
            configuration=self.configuration,
            plant=self.plant,
            produced_on=self.produced_on,
            powertrain=self.powertrain,
            odometer_unit=self.odometer_unit,
            vin_scheme=self.vin_scheme,
        )
        append_record(ledger, self.vin, vehicle, self, born)
