"""Initial state of a car, at its birth or its import, and the checks of a VIN that both share."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from node.crypto.hashing import ZERO32
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.rules.odometer import Unit
from node.rules.vin import has_valid_check_digit, has_valid_year_code, model_years
from node.txtypes.vehicle.alerts import close_all
from node.txtypes.vehicle.life import LIFE, NO_LIFE
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.regions import OFF_MARKET, UNREGISTERED
from node.txtypes.vehicle.stop_flags import DO_NOT_DRIVE, with_firm_flag
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, VinScheme

Powertrain = Literal["bev", "phev", "hev", "petrol", "diesel", "fcev"]

VEHICLE_EXISTS = Guard("vehicle_exists", "the vehicle is registered already", "das Fahrzeug ist schon registriert",
                       "车辆已登记")  # fmt: skip
VIN_CHECK_DIGIT = Guard("vin_check_digit", "the check digit is wrong", "die Prüfziffer ist falsch", "校验位错误")
VIN_YEAR_CODE = Guard("vin_year_code", "the model year code is not allowed, or is not that of the year of production",
                      "der Modelljahrcode ist nicht erlaubt, oder nicht der des Produktionsjahrs",
                      "年款代码无效或与生产年份不符")  # fmt: skip


def check_vin(ledger: Ledger, vin: str, scheme: VinScheme) -> None:
    """Notes a wrong check digit or year code in a VIN of North America or China. In Europe both positions are free."""
    if scheme == "EU":
        return
    if not has_valid_check_digit(vin):
        ledger.unmet(VIN_CHECK_DIGIT, vin, vin[8])
    if not has_valid_year_code(vin):
        ledger.unmet(VIN_YEAR_CODE, vin, vin[9])


def check_produced_year(ledger: Ledger, vin: str, scheme: VinScheme, year: int) -> None:
    """Notes a year of production that the VIN of a car from North America or China denies: it is the model year, or the
    year before."""
    years = model_years(vin, scheme) if scheme != "EU" else ()
    if years and not any(year in (of_model - 1, of_model) for of_model in years):
        need = " or ".join(f"{of_model - 1} or {of_model}" for of_model in years)
        ledger.unmet(VIN_YEAR_CODE, vin, str(year), need)


def check_absent(ledger: Ledger, vin: str, *, is_void_allowed: bool = False) -> None:
    """Notes `vehicle_exists` if the VIN is taken. `is_void_allowed`: a car whose import was voided does not count."""
    vehicle = ledger.get(VEHICLE, vin)
    if vehicle is not None and not (is_void_allowed and vehicle.existence == "voided"):
        ledger.unmet(VEHICLE_EXISTS, vin)


def begun(
    ledger: Ledger, *, maker: bytes, model: str, configuration: tuple[str, ...], plant: str, produced_on: str,
    powertrain: Powertrain, odometer_unit: Unit, vin_scheme: VinScheme, born_at_ms: int, holder: bytes,
    grade: str = "", covered_since_ms: int,
) -> Vehicle:  # fmt: skip
    """A car without any record. `grade`: the grade of its import; empty for a car that was born on this chain."""
    return Vehicle(
        maker=maker, model=model, configuration=configuration, plant=plant, produced_on=produced_on,
        powertrain=powertrain, odometer_unit=odometer_unit, vin_scheme=vin_scheme, born_at_ms=born_at_ms,
        born_height=ledger.block.height, existence="in_service" if grade else "born",
        origin="imported" if grade else "born", grade=grade, covered_since_ms=covered_since_ms, ended_at_ms=0,
        registration=UNREGISTERED, holder=holder, title_since_ms=ledger.now_ms, market=OFF_MARKET, flags=(), brands=(),
        recalls=(), duties=(), alerts=(), inspection=None, loss=None, clearances=(), warranties=0, verdict="NO_VERDICT",
        record_count=0, first_sequence=0, history_head=ZERO32, maintenance_count=0, accident_count=0, transfer_count=0,
        material_changes=0, material_head=ZERO32, material_author=b"",
    )  # fmt: skip


def void_import(ledger: Ledger, vin: str, vehicle: Vehicle) -> Vehicle:
    """The car after a decision that its import was false. It is off the market, and no further acts on it are valid.
    The caller appends the record of the decision, which is material. Only then may the maker register the VIN. A car
    that was born on this chain is returned unchanged: it is the genuine car, on the record chain of an import that was
    voided before."""
    if vehicle.origin != "imported":
        return vehicle
    ledger.happened("vehicle.voided", f"vehicle/{vin}")
    return replace(vehicle, existence="voided", ended_at_ms=ledger.now_ms, market=OFF_MARKET)


def following(ledger: Ledger, vin: str, new: Vehicle) -> Vehicle:
    """The new car, continuing the record chain of a voided import if there is one. It keeps that car's records, alerts,
    material changes and open disputes, and no warranty number is given twice. A recall names a VIN, so those of the
    voided car stay open, with the stop-flag that they require. The voided car's readings and working sets are
    deleted."""
    void = ledger.get(VEHICLE, vin)
    if void is None:
        return new
    ledger.put(ODOMETER, vin, None)
    life = ledger.get(LIFE, vin)
    if life is not None:
        ledger.put(LIFE, vin, replace(NO_LIFE, disputes=life.disputes))
    after = replace(
        new, record_count=void.record_count, first_sequence=void.record_count, history_head=void.history_head,
        alerts=close_all(void.alerts), recalls=void.recalls, material_changes=void.material_changes,
        material_head=void.material_head, warranties=void.warranties,
    )  # fmt: skip
    setter = next((recall.maker for recall in void.recalls if recall.recall_class == "stop_drive"), None)
    return with_firm_flag(ledger, after, DO_NOT_DRIVE, setter=setter) if setter is not None else after
