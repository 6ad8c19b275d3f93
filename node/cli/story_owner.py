"""The chapters of the story while the buyer has the car."""

from __future__ import annotations

from typing import Any

from node.cli.stage import Stage, StoryFailed, step

PART = "34336888459"
"""The part of the recall."""


def seen_at(site: str) -> tuple[str, str]:
    """The option that says where a car was seen, and how its number was read."""
    return "--where", f"site={site},vin_source=obd,model_seen=330I"


class Ownership:
    """A car and its holder, who signs what is written about the car."""

    def __init__(self, stage: Stage, vin: str, holder: str) -> None:
        self.stage = stage
        self.vin = vin
        self.holder = holder

    def play(self) -> None:
        """Raises `StoryFailed`."""
        self._registration()
        self._recall()
        self._accident()
        self._dispute()
        self._odometer()

    # --- what the chapters share ---
    def _report(self, odometer: str, site: str) -> tuple[str, ...]:
        """The options of a record that the holder signs."""
        return "--vin", self.vin, "--odometer", odometer, *seen_at(site), "--holder-signs"

    def _newest(self, kind: str) -> str:
        """The name of the car's newest record of a type: its place and its digest."""
        records = self.stage.next_node().get(f"/v1/vehicles/{self.vin}/history?limit=200")["records"]
        record = next(entry for entry in reversed(records) if entry["kind"] == kind)
        return f"sequence={record['sequence']},digest={record['digest']}"

    def _tell_car(self, what: str, **expected: Any) -> None:
        """Tell the state of the car that follows from a step. Raises `StoryFailed` where it is another one."""
        vehicle = self.stage.next_node().get(f"/v1/vehicles/{self.vin}")
        for name, value in expected.items():
            if vehicle[name] != value:
                raise StoryFailed(f"{name} of {self.vin} is {vehicle[name]}, not {value}")
        self.stage.tell("the car", what)

    # --- the chapters ---
    def _registration(self) -> None:
        self.stage.heading("Registration and first inspection")
        plate = self.stage.json("bmw-wallet", "ref", "commitment", "plate", f"M-AL {self.vin[-4:]}")["commitment"]
        self.stage.send_all(
            step(
                "registers the car for the road; its plate is a commitment", "registration.set",
                "--vin", self.vin, *seen_at(""), "--country", "DE", "--plate", plate, "--kind", "permanent",
                "--until", "", "--usage", "private", sender="registrar-1",
            ),
            step(
                "inspects it: one minor defect", "inspection.record", *self._report("640km", "INS-1"),
                "--checklist", "DE-HU", "--kind", "periodic", "--defects", "item=4.1.1,severity=minor",
                "--valid-until-day", "now+730d", sender="inspector-1", cosigners=(self.holder,),
            ),
        )  # fmt: skip

    def _recall(self) -> None:
        self.stage.heading("A recall: the car must not be driven until it is remedied")
        campaign = f"S{self.vin[-5:]}"
        self.stage.send(
            "opens a campaign", "recall.open", "--campaign", campaign, "--recall-class", "stop_drive",
            "--references", f"authority=KBA,number={self.vin[-5:]}R", "--remedy", "replace", "--part-numbers", PART,
            "--remedy-from-day", "now-1d", sender="bmw",
        )  # fmt: skip
        self.stage.send(
            "names the car in it", "recall.extend", "--campaign", campaign, "--action", "add", "--reason", "scope",
            "--vins", self.vin, sender="bmw",
        )  # fmt: skip
        self.stage.send(
            "fits the part", "recall.done", *self._report("655km", "BER-1"), "--manufacturer", "bmw",
            "--campaign", campaign, "--parts", f"number={PART},quantity=1,is_original=true",
            sender="workshop-berlin", cosigners=(self.holder,),
        )  # fmt: skip
        self._tell_car("has no open recall any more, and its stop-flag is lifted; the lien stays", recalls=[])
        flags = [flag["name"] for flag in self.stage.next_node().get(f"/v1/vehicles/{self.vin}")["flags"]]
        if flags != ["lien"]:
            raise StoryFailed(f"the flags of {self.vin} are {flags}, not the lien alone")

    def _accident(self) -> None:
        self.stage.heading("An accident, a structural repair, and its release by an independent inspector")
        self.stage.send(
            "reports the accident", "accident.report", *self._report("702km", "BER-1"), "--cause", "collision",
            "--damages", "zone=front,extent=structural", "--damages", "zone=bonnet,extent=bolt_on", "--airbags", "0",
            "--no-hv-battery-hit", "--no-drivable", "--cost-band", "8000_to_14999",
            sender="workshop-berlin", cosigners=(self.holder,),
        )  # fmt: skip
        self.stage.send(
            "straightens the front; that it is structural is computed", "repair.record",
            *self._report("703km", "BER-1"), "--incident", self._newest("accident.report"),
            "--operations", "zone=front,method=straighten", "--operations", "zone=bonnet,method=replace_part",
            "--parts", "number=41007499253,quantity=1,is_original=true",
            sender="workshop-berlin", cosigners=(self.holder,),
        )  # fmt: skip
        self._tell_car("owes the release of its structure; until then no handover passes")
        self.stage.send(
            "releases the structure", "inspection.record", *self._report("715km", "INS-1"),
            "--checklist", "STRUCTURAL", "--kind", "structural_release",
            sender="inspector-1", cosigners=(self.holder,),
        )  # fmt: skip
        self._tell_car("owes nothing; its brands stay: collision_structural, structural_repair", duties=[])

    def _dispute(self) -> None:
        self.stage.heading("A false reading, disputed and won")
        self.stage.send(
            "notes 73 km for 730 km", "maintenance.record", "--vin", self.vin, "--services", "TYRES_SEASONAL",
            "--next-due", "+180d", "--odometer", "73km", *seen_at("HAM-1"), sender="workshop-hamburg",
        )  # fmt: skip
        self._tell_car("its odometer is CONTESTED: the reading is wrong, or it was turned back", verdict="CONTESTED")
        dispute = self.stage.send(
            "disputes the record", "record.dispute", "--vin", self.vin, "--target", self._newest("maintenance.record"),
            "--ground", "wrong_reading", sender=self.holder,
        )  # fmt: skip
        self.stage.send(
            "answers that it stands", "record.respond", "--dispute", dispute, "--answer", "stands",
            sender="workshop-hamburg",
        )  # fmt: skip
        self.stage.send_all(*(
            step(
                "votes: annulled", "record.resolve", "--dispute", dispute, "--outcome", "annulled",
                "--reason", "mistake", sender=arbiter,
            ) for arbiter in ("arbiter-1", "arbiter-3", "arbiter-4")
        ))  # fmt: skip
        self._tell_car("its odometer is LOGICAL again; record and decision stay in its history", verdict="LOGICAL")

    def _odometer(self) -> None:
        self.stage.heading("The instrument fails and is replaced, before a witness")
        self.stage.send(
            "replaces the instrument: 731 km on the old one, 0 km on the new", "odometer.replace",
            *self._report("0km", "BER-1"), "--old", "731km", "--cause", "cluster_failed", "--ecus", "KOMBI",
            "--witness", "inspector-2", sender="workshop-berlin", cosigners=(self.holder, "inspector-2"),
        )  # fmt: skip
        self._tell_car("has the brand odometer_replaced, and its odometer is LOGICAL", verdict="LOGICAL")
