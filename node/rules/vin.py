"""Vehicle identification numbers.

ISO 3779 (content), ISO 3780 (world manufacturer identifier), 49 CFR 565.15 and GB 16735 (check digit, year code).
"""

from __future__ import annotations

import re
from typing import Final

VIN_PATTERN: Final = r"^[A-HJ-NPR-Z0-9]{17}$"
"""17 characters without I, O and Q. Match it whole (`fullmatch`): with `search`, `$` lets a line end through."""

TRANSLITERATION: Final[dict[str, int]] = {
    **{digit: int(digit) for digit in "0123456789"},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    "P": 7,
    "R": 9,
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}
"""49 CFR 565.15(c); the same values in GB 16735."""

WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
"""49 CFR 565.15(c). Position 9 is the check digit itself."""

CHECK_DIGITS: Final = "0123456789X"
"""The remainder by 11 as a character."""

YEAR_CODES: Final = "ABCDEFGHJKLMNPRSTVWXY123456789"
"""Position 10, 1980 to 2009 and again from 2010 (49 CFR 565.15(d)): no I, O, Q, U, Z and 0."""

_VIN: Final = re.compile(VIN_PATTERN)


def is_vin(text: str) -> bool:
    """Whether `text` has the form of a VIN. Lower case is refused, never mended."""
    return _VIN.fullmatch(text) is not None


def check_digit(vin: str) -> str:
    """What position 9 should hold, `0` to `9` or `X`. `vin` must have the form of a VIN."""
    assert is_vin(vin), "a check digit is defined for 17 VIN characters only"
    total = sum(TRANSLITERATION[character] * weight for character, weight in zip(vin, WEIGHTS, strict=True))
    return CHECK_DIGITS[total % 11]


def has_valid_check_digit(vin: str) -> bool:
    """Required in North America and China; in Europe position 9 is free."""
    return is_vin(vin) and vin[8] == check_digit(vin)


def has_valid_year_code(vin: str) -> bool:
    """Required in North America and China; a European car may carry `0` at position 10."""
    return is_vin(vin) and vin[9] in YEAR_CODES


_BY_BRAND: Final[tuple[tuple[str, str, str], ...]] = (
    # BMW Group
    ("BMW", "DE", "WBA WBS WBX WBY"),
    ("BMW", "US", "4US 5UM 5UX 5YM"),
    ("BMW", "MX", "3MF 3MW"),
    ("BMW", "BR", "98M"),
    ("BMW", "CN", "LBV"),
    ("BMW", "RU", "X4X"),
    ("BMW", "TH", "MMF"),
    ("BMW Motorrad", "DE", "WB1 WB3"),
    ("MINI", "DE", "WMW WMZ"),
    ("Rolls-Royce", "GB", "SCA SLA"),
    ("Alpina", "DE", "WAP"),
    # Germany
    ("Audi", "DE", "WA1 WAU WUA"),
    ("Audi", "HU", "TRU"),
    ("Volkswagen", "DE", "WV1 WV2 WVG WVW"),
    ("Volkswagen", "US", "1V2 1VW"),
    ("Volkswagen", "MX", "3VV 3VW"),
    ("Volkswagen", "BR", "9BW"),
    ("Volkswagen", "CN", "LFV LSV"),
    ("Volkswagen", "ZA", "AAV"),
    ("Škoda", "CZ", "TMB"),
    ("SEAT", "ES", "VSS"),
    ("Porsche", "DE", "WP0 WP1"),
    ("Mercedes-Benz", "DE", "W1K W1N W1V WDB WDC WDD WDF"),
    ("Mercedes-Benz", "US", "4JG 55S"),
    ("Mercedes-Benz", "CN", "LE4"),
    ("smart", "DE", "WME"),
    ("Opel", "DE", "W0L W0V"),
    # the rest of Europe
    ("Renault", "FR", "VF1"),
    ("Dacia", "RO", "UU1"),
    ("Peugeot", "FR", "VF3 VR3"),
    ("Citroën", "FR", "VF7 VR7"),
    ("DS", "FR", "VR1"),
    ("Fiat", "IT", "ZFA"),
    ("Fiat", "BR", "9BD"),
    ("Alfa Romeo", "IT", "ZAR ZAS"),
    ("Lancia", "IT", "ZLA"),
    ("Maserati", "IT", "ZAM ZN6"),
    ("Ferrari", "IT", "ZFF"),
    ("Lamborghini", "IT", "ZHW ZPB"),
    ("Jeep", "IT", "ZAC"),
    ("Iveco", "IT", "ZCF"),
    ("Volvo", "SE", "YV1 YV4"),
    ("Volvo", "CN", "LVY LYV"),
    ("Volvo", "US", "7JR"),
    ("Saab", "SE", "YS3"),
    ("Polestar", "SE", "YSM"),
    ("Polestar", "CN", "LPS"),
    ("Jaguar", "GB", "SAD SAJ"),
    ("Land Rover", "GB", "SAL"),
    ("Bentley", "GB", "SCB SJA"),
    ("Aston Martin", "GB", "SCF SD7"),
    ("Lotus", "GB", "SCC"),
    ("McLaren", "GB", "SBM"),
    ("Lada", "RU", "XTA"),
    # North America
    ("Ford", "US", "1FA 1FM 1FT"),
    ("Ford", "CA", "2FM"),
    ("Ford", "MX", "3FA"),
    ("Ford", "DE", "WF0"),
    ("Ford", "ES", "VS6"),
    ("Ford", "TR", "NM0"),
    ("Ford", "IN", "MAJ"),
    ("Ford", "CN", "LVS"),
    ("Lincoln", "US", "1LN 5LM"),
    ("Lincoln", "CA", "2LM"),
    ("Chevrolet", "US", "1G1 1GC 1GN"),
    ("Chevrolet", "CA", "2G1 2GN"),
    ("Chevrolet", "MX", "3GC 3GN"),
    ("Chevrolet", "KR", "KL1"),
    ("Pontiac", "US", "1G2"),
    ("Buick", "US", "1G4"),
    ("Cadillac", "US", "1G6 1GY"),
    ("GMC", "US", "1GK 1GT"),
    ("SAIC General Motors", "CN", "LSG"),
    ("Chrysler", "US", "1C3 1C4"),
    ("Chrysler", "CA", "2C3"),
    ("Ram", "US", "1C6"),
    ("Jeep", "US", "1J4 1J8"),
    ("Tesla", "US", "5YJ 7SA"),
    ("Tesla", "CN", "LRW"),
    ("Tesla", "NL", "XP7"),
    ("Rivian", "US", "7FC 7PD"),
    ("Lucid", "US", "50E"),
    # Japan
    ("Toyota", "JP", "JTD JTE JTM JTN"),
    ("Toyota", "US", "4T1 4T3 5TD 5TF 5YF"),
    ("Toyota", "CA", "2T1 2T3"),
    ("Toyota", "MX", "3TM"),
    ("Toyota", "GB", "SB1"),
    ("Toyota", "FR", "VNK"),
    ("Toyota", "TR", "NMT"),
    ("Toyota", "ZA", "AHT"),
    ("Toyota", "TH", "MR0"),
    ("Toyota", "BR", "9BR"),
    ("Toyota", "CN", "LFM LVG"),
    ("Lexus", "JP", "JTH JTJ"),
    ("Lexus", "CA", "2T2"),
    ("Lexus", "US", "58A"),
    ("Honda", "JP", "JHL JHM"),
    ("Honda", "US", "19X 1HG 5FN 5J6"),
    ("Honda", "CA", "2HG 2HK"),
    ("Honda", "GB", "SHH SHS"),
    ("Honda", "CN", "LHG LVH"),
    ("Acura", "JP", "JH4"),
    ("Acura", "US", "19U 5J8"),
    ("Nissan", "JP", "JN1 JN8"),
    ("Nissan", "US", "1N4 1N6 5N1"),
    ("Nissan", "MX", "3N1"),
    ("Nissan", "GB", "SJN"),
    ("Nissan", "ES", "VSK"),
    ("Nissan", "CN", "LGB"),
    ("Infiniti", "JP", "JNK"),
    ("Mazda", "JP", "JM1 JM3 JMZ"),
    ("Mazda", "MX", "3MZ"),
    ("Mazda", "US", "7MM"),
    ("Subaru", "JP", "JF1 JF2"),
    ("Subaru", "US", "4S3 4S4"),
    ("Mitsubishi", "JP", "JA3 JA4 JMB"),
    ("Suzuki", "JP", "JSA"),
    ("Suzuki", "HU", "TSM"),
    ("Suzuki", "IN", "MA3"),
    # Korea
    ("Hyundai", "KR", "KM8 KMH"),
    ("Hyundai", "US", "5NM 5NP"),
    ("Hyundai", "CZ", "TMA"),
    ("Hyundai", "TR", "NLH"),
    ("Hyundai", "IN", "MAL"),
    ("Hyundai", "CN", "LBE"),
    ("Genesis", "KR", "KMT KMU"),
    ("Kia", "KR", "KNA KND"),
    ("Kia", "US", "5XX 5XY"),
    ("Kia", "MX", "3KP"),
    ("Kia", "SK", "U5Y U6Y"),
    ("Renault Korea", "KR", "KNM"),
    ("KG Mobility", "KR", "KPT"),
    # China and India
    ("BYD", "CN", "LC0 LGX"),
    ("Geely", "CN", "L6T LB3"),
    ("Great Wall", "CN", "LGW"),
    ("Chery", "CN", "LVV"),
    ("MG", "CN", "LSJ"),
    ("Changan", "CN", "LS4 LS5"),
    ("XPeng", "CN", "L1N"),
    ("JAC", "CN", "LJ1"),
    ("Mahindra", "IN", "MA1"),
    ("Tata", "IN", "MAT"),
)

WMIS: Final[dict[str, tuple[str, str]]] = {
    wmi: (brand, country) for brand, country, wmis in _BY_BRAND for wmi in wmis.split()
}
"""WMI (first three characters) -> (maker's brand, country that assigned the WMI; the car may be built elsewhere).

Well-known ones only. A WMI that is not here is not wrong: accreditation decides who may use which, this names it.
"""
