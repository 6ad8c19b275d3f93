"""Relations between accounts: a related account cannot be the other's witness."""

from __future__ import annotations

from node.crypto.addresses import to_text
from node.ledger.family import Reader
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.rules.vin import wmi_of
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.members.conduct import check_not_on_hold
from node.txtypes.members.member import MEMBER, group_of, has_role_at
from node.txtypes.vehicle.life import LIFE, NO_LIFE, TRADED_MS, repairers_at
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

NOT_INDEPENDENT = Guard("not_independent", "whoever inspects or clears a car is not related to its holder, its seller, "
                        "who presents it or who repaired it within 180 days",
                        "wer ein Fahrzeug prüft oder freigibt, ist nicht verbunden mit Halter, Verkäufer, Vorführer "
                        "und denen, die es in den letzten 180 Tagen repariert haben",
                        "放行或检验车辆者不得与所有人、卖方、送检人或 180 天内的维修者有关联",
                        is_permission=True)  # fmt: skip


WITNESS_MISSING = Guard(
    "witness_missing",
    "an inspector who is related to neither the author nor the holder must sign too",
    "auch ein Prüfer muss unterschreiben, der weder mit dem Autor noch mit dem Halter verbunden ist",
    "还须有与作者和所有人均无关联的检验员会签",
    is_permission=True,
)
INSPECTION_UNFIT = Guard(
    "inspection_unfit",
    "the inspection does not do: it was not passed, is another's or too old, or did not look at what it has to",
    "die Prüfung genügt nicht: sie ist nicht bestanden, von einem anderen, zu alt, oder sie hat nicht alles Nötige "
    "angesehen",
    "检验不符合要求：未合格、非本人所作、已过期或缺少必检项目",
)


def related(reader: Reader, a: bytes, b: bytes, vin: str = "", at_ms: int = 0) -> bool:
    """Whether two accounts are related: the same account, members of one group, a sponsor and the account it opened (if
    that is no member), or, for a vehicle and a time, parties of a trade of it within 90 days of that time."""
    return _is_one_house(reader, a, b) or (bool(vin) and _traded(reader, a, b, vin, reader.get(VEHICLE, vin), at_ms))


def _is_one_house(reader: Reader, a: bytes, b: bytes) -> bool:
    if a == b:
        return True
    one, other = reader.get(MEMBER, a), reader.get(MEMBER, b)
    if one is not None and other is not None:
        return bool(one.group) and one.group == other.group
    return _sponsors(reader, a, b) or _sponsors(reader, b, a)


def _sponsors(reader: Reader, sponsor: bytes, account: bytes) -> bool:
    found = reader.get(ACCOUNT, account) if reader.get(MEMBER, account) is None else None
    return found is not None and found.sponsor == sponsor


def is_close(reader: Reader, a: bytes, b: bytes, vin: str = "", at_ms: int = 0) -> bool:
    """Whether two accounts are related, or one is of a group with the sponsor that opened the other. Whoever clears a
    car or witnesses is not close to its parties; a mere reading of it counts as independent."""
    return (
        related(reader, a, b, vin, at_ms)
        or _is_sponsored_by_group(reader, a, b)
        or _is_sponsored_by_group(reader, b, a)
    )


def _is_sponsored_by_group(reader: Reader, account: bytes, other: bytes) -> bool:
    member = reader.get(MEMBER, other)
    if member is None or not member.group or reader.get(MEMBER, account) is not None:
        return False
    found = reader.get(ACCOUNT, account)
    return found is not None and group_of(reader, found.sponsor) == member.group


def _traded(reader: Reader, a: bytes, b: bytes, vin: str, vehicle: Vehicle | None, at_ms: int) -> bool:
    if vehicle is None or not vehicle.transfer_count or at_ms > vehicle.title_since_ms + TRADED_MS:
        return False  # the last trade is longer ago; an ordinary record reads no other value of the car
    life = reader.get(LIFE, vin)
    return life is not None and any(
        {entry.holder, entry.receiver} == {a, b} and abs(at_ms - entry.until_ms) <= TRADED_MS for entry in life.holders
    )


def holder_at(reader: Reader, vin: str, vehicle: Vehicle, at_ms: int) -> bytes | None:
    """The holder of the title at a time, None if that is no longer known."""
    if at_ms >= vehicle.title_since_ms:
        return vehicle.holder
    life = reader.get(LIFE, vin)
    after = [entry for entry in life.holders if at_ms < entry.until_ms] if life is not None else []
    if not after:
        return None
    first = min(after, key=lambda entry: entry.until_ms)
    earlier = [entry for entry in life.holders if entry.until_ms <= at_ms] if life is not None else []
    is_known = bool(earlier) or vehicle.transfer_count <= len(life.holders if life is not None else ())
    return first.holder if is_known else None


def is_related_to_holder(reader: Reader, vin: str, vehicle: Vehicle, account: bytes, at_ms: int) -> bool:
    """Whether an account is related to the holder of the title at a time. True for every account if that holder is no
    longer known."""
    holder = holder_at(reader, vin, vehicle, at_ms)
    if holder is None or _is_one_house(reader, account, holder):
        return True
    return _traded(reader, account, holder, vin, vehicle, at_ms)


def sellers_at(reader: Reader, vin: str, at_ms: int) -> tuple[bytes, ...]:
    """The accounts that gave the title away within 90 days of a time."""
    life = reader.get(LIFE, vin)
    return tuple(e.holder for e in life.holders if abs(at_ms - e.until_ms) <= TRADED_MS) if life is not None else ()


def is_repairer(reader: Reader, vin: str, account: bytes, now_ms: int) -> bool:
    """Whether an account is related to a workshop that repaired the car within 180 days."""
    repairers = repairers_at(reader.get(LIFE, vin) or NO_LIFE, now_ms)
    return any(related(reader, account, repairer) for repairer in repairers)


def is_witness(ledger: Ledger, account: bytes, vin: str, *parties: bytes) -> bool:
    """Whether an account may witness for the parties: it is an inspector of such cars at present and close to none of
    them."""
    is_near = any(is_close(ledger, account, party, vin, ledger.now_ms) for party in parties)
    return has_role_at(ledger, account, ledger.now_ms, "inspector", wmi=wmi_of(vin)) and not is_near


def check_witness(ledger: Ledger, account: bytes, vin: str, *parties: bytes) -> None:
    """Notes why an account may not witness for the parties."""
    if not is_witness(ledger, account, vin, *parties):
        ledger.unmet(WITNESS_MISSING, to_text(account))
    check_not_on_hold(ledger, account)


def is_independent(
    reader: Reader, vin: str, vehicle: Vehicle, account: bytes, at_ms: int, now_ms: int, *presenters: bytes
) -> bool:
    """Whether an account may clear the car: it is close to nobody who holds the title, held it at the time, sold it
    within 90 days, presents the car, or repaired it within 180 days. The seller of a live listing holds the title."""
    holder = holder_at(reader, vin, vehicle, at_ms)
    if holder is None:
        return False
    interested = (holder, vehicle.holder, *sellers_at(reader, vin, at_ms), *presenters)
    is_party = any(is_close(reader, account, party, vin, at_ms) for party in interested)
    return not is_party and not is_repairer(reader, vin, account, now_ms)
