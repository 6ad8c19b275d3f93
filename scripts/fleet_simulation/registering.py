"""Registration: a registrar registers a car for its first owner; one that is sold abroad is accepted there."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from fleet_simulation.cars import Car
from fleet_simulation.genesis import CITIES, TRADE
from fleet_simulation.world import World, body_of, reading, where
from node.txtypes.vehicle.vehicle import VEHICLE, material_root

REGISTRARS: Final = {"DE": "registrar-1", "PL": "registrar-2"}
ABROAD: Final = "warsaw"


def country_of(car: Car) -> str:
    return CITIES[car.city][0]


def _plate(world: World, car: Car, country: str) -> bytes:
    return sha256(f"plate/{country}/{car.vin}/{world.now}".encode()).digest()


def register(world: World, car: Car) -> None:
    """The first registration."""
    country = country_of(car)
    registrar = REGISTRARS[country]
    body = body_of(
        "registration.set", vin=car.vin, country=country, plate=_plate(world, car, country), kind="permanent",
        usage="taxi" if car.is_taxi else "private", until_ms=0, where=where(car, registrar), event_at_ms=world.now,
    )  # fmt: skip
    world.send(registrar, body, side="registrar")


def move_abroad(world: World, car: Car) -> None:
    """The old country lets the car go, the new one accepts it, having seen what stands against it."""
    if country_of(car) == CITIES[ABROAD][0]:
        return
    _recalls_done(world, car)
    old = country_of(car)
    new = CITIES[ABROAD][0]
    leaving = body_of("registration.export", vin=car.vin, country=old, to_country=new,
                      where=where(car, REGISTRARS[old]), event_at_ms=world.now)  # fmt: skip
    if not world.send(REGISTRARS[old], leaving, side="registrar").is_accepted:
        return
    shown = material_root(car.vin, world.chain.state(VEHICLE, car.vin))
    accepted = body_of(
        "registration.accept", vin=car.vin, country=new, plate=_plate(world, car, new), kind="permanent",
        usage="private", until_ms=0, material_root=shown, where=where(car, REGISTRARS[new]), event_at_ms=world.now,
    )  # fmt: skip
    if world.send(REGISTRARS[new], accepted, side="registrar").is_accepted:
        car.city = ABROAD


def _recalls_done(world: World, car: Car) -> None:
    """What the new country would not register: an open recall of class compliance."""
    author = TRADE.workshops[car.city][0]
    for recall in world.chain.state(VEHICLE, car.vin).recalls:
        if recall.recall_class == "compliance":
            body = body_of(
                "recall.done", vin=car.vin, manufacturer=recall.maker, campaign=recall.campaign, software=None,
                odometer=reading(car.shown), where=where(car, author), event_at_ms=world.now,
            )  # fmt: skip
            note = world.tell(car, author, world.now, reading(car.shown))
            world.send(author, body, side="registrar", on_record=note)
