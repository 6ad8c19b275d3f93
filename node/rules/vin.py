"""Vehicle identification numbers.

ISO 3779 (content), ISO 3780 (world manufacturer identifier), 49 CFR 565.15 and GB 16735 (check digit, year code).
"""

import re
from typing import Final

VIN_PATTERN: Final = r"^[A-HJ-NPR-Z0-9]{17}$"
"""The form of a VIN: 17 characters without I, O and Q. Match it whole (`fullmatch`): with `search`, `$` lets a line end
through."""
TRANSLITERATION: Final[dict[str, int]] = {
    character: int(value)
    for character, value in zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", "012345678912345678123457923456789", strict=True)
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
    """Whether `text` has the form of a VIN. Lower case is refused, never corrected."""
    return _VIN.fullmatch(text) is not None


def check_digit(vin: str) -> str:
    """The correct position 9, `0` to `9` or `X`. `vin` must have the form of a VIN."""
    assert is_vin(vin), "a check digit is defined for 17 VIN characters only"
    total = sum(TRANSLITERATION[character] * weight for character, weight in zip(vin, WEIGHTS, strict=True))
    return CHECK_DIGITS[total % 11]


def has_valid_check_digit(vin: str) -> bool:
    """Whether position 9 is the correct check digit. It is required in North America and China; in Europe position 9 is
    free."""
    return is_vin(vin) and vin[8] == check_digit(vin)


def has_valid_year_code(vin: str) -> bool:
    """Whether position 10 is a year code. It is required in North America and China; a European car may have `0`
    there."""
    return is_vin(vin) and vin[9] in YEAR_CODES


def model_years(vin: str, scheme: str) -> tuple[int, ...]:
    """The model years that position 10 can mean until 2039, none where it is no year code. In North America position 7
    of a car is a digit until 2009 and a letter from then on (49 CFR 565.15(d)(1))."""
    if not has_valid_year_code(vin):
        return ()
    first = 1980 + YEAR_CODES.index(vin[9])
    years = (first, first + len(YEAR_CODES))
    return years if scheme != "NA" else years[:1] if vin[6].isdecimal() else years[1:]


def wmi_of(vin: str) -> str:
    """The world manufacturer identifier: three characters, and positions 12 to 14 too where the third is 9. ISO 3780
    gives such ones to makers of fewer than 500 (49 CFR 565.15(a): 1,000) cars a year."""
    return vin[:3] + vin[11:14] if vin[2] == "9" else vin[:3]


def has_serial_number(vin: str, scheme: str) -> bool:
    """Whether the VIN ends in the digits of a serial number: four (ISO 3779:2009, as descriptions of it say), five for
    North America (49 CFR 565.15(d)(3), of which a maker of few cars uses three)."""
    digits = vin[12:] if scheme == "NA" and vin[2] != "9" else vin[13:]
    return digits.isascii() and digits.isdigit()


_BY_BRAND: Final = {
    # BMW Group
    "BMW": "DE WBA WBS WBX WBY, US 4US 5UM 5UX 5YM, MX 3MF 3MW, BR 98M, CN LBV, RU X4X, TH MMF",
    "BMW Motorrad": "DE WB1 WB3",
    "MINI": "DE WMW WMZ",
    "Rolls-Royce": "GB SCA SLA",
    "Alpina": "DE WAP",
    # Germany
    "Audi": "DE WA1 WAU WUA, HU TRU",
    "Volkswagen": "DE WV1 WV2 WVG WVW, US 1V2 1VW, MX 3VV 3VW, BR 9BW, CN LFV LSV, ZA AAV",
    "Škoda": "CZ TMB",
    "SEAT": "ES VSS",
    "Porsche": "DE WP0 WP1",
    "Mercedes-Benz": "DE W1K W1N W1V WDB WDC WDD WDF, US 4JG 55S, CN LE4",
    "smart": "DE WME",
    "Opel": "DE W0L W0V",
    # the rest of Europe
    "Renault": "FR VF1",
    "Dacia": "RO UU1",
    "Peugeot": "FR VF3 VR3",
    "Citroën": "FR VF7 VR7",
    "DS": "FR VR1",
    "Fiat": "IT ZFA, BR 9BD",
    "Alfa Romeo": "IT ZAR ZAS",
    "Lancia": "IT ZLA",
    "Maserati": "IT ZAM ZN6",
    "Ferrari": "IT ZFF",
    "Lamborghini": "IT ZHW ZPB",
    "Jeep": "IT ZAC, US 1J4 1J8",
    "Iveco": "IT ZCF",
    "Volvo": "SE YV1 YV4, CN LVY LYV, US 7JR",
    "Saab": "SE YS3",
    "Polestar": "SE YSM, CN LPS",
    "Jaguar": "GB SAD SAJ",
    "Land Rover": "GB SAL",
    "Bentley": "GB SCB SJA",
    "Aston Martin": "GB SCF SD7",
    "Lotus": "GB SCC",
    "McLaren": "GB SBM",
    "Lada": "RU XTA",
    # North America
    "Ford": "US 1FA 1FM 1FT, CA 2FM, MX 3FA, DE WF0, ES VS6, TR NM0, IN MAJ, CN LVS",
    "Lincoln": "US 1LN 5LM, CA 2LM",
    "Chevrolet": "US 1G1 1GC 1GN, CA 2G1 2GN, MX 3GC 3GN, KR KL1",
    "Pontiac": "US 1G2",
    "Buick": "US 1G4",
    "Cadillac": "US 1G6 1GY",
    "GMC": "US 1GK 1GT",
    "SAIC General Motors": "CN LSG",
    "Chrysler": "US 1C3 1C4, CA 2C3",
    "Ram": "US 1C6",
    "Tesla": "US 5YJ 7SA, CN LRW, NL XP7",
    "Rivian": "US 7FC 7PD",
    "Lucid": "US 50E",
    # Japan
    "Toyota": (
        "JP JTD JTE JTM JTN, US 4T1 4T3 5TD 5TF 5YF, CA 2T1 2T3, MX 3TM, GB SB1, FR VNK, TR NMT"
        ", ZA AHT, TH MR0, BR 9BR, CN LFM LVG"
    ),
    "Lexus": "JP JTH JTJ, CA 2T2, US 58A",
    "Honda": "JP JHL JHM, US 19X 1HG 5FN 5J6, CA 2HG 2HK, GB SHH SHS, CN LHG LVH",
    "Acura": "JP JH4, US 19U 5J8",
    "Nissan": "JP JN1 JN8, US 1N4 1N6 5N1, MX 3N1, GB SJN, ES VSK, CN LGB",
    "Infiniti": "JP JNK",
    "Mazda": "JP JM1 JM3 JMZ, MX 3MZ, US 7MM",
    "Subaru": "JP JF1 JF2, US 4S3 4S4",
    "Mitsubishi": "JP JA3 JA4 JMB",
    "Suzuki": "JP JSA, HU TSM, IN MA3",
    # Korea
    "Hyundai": "KR KM8 KMH, US 5NM 5NP, CZ TMA, TR NLH, IN MAL, CN LBE",
    "Genesis": "KR KMT KMU",
    "Kia": "KR KNA KND, US 5XX 5XY, MX 3KP, SK U5Y U6Y",
    "Renault Korea": "KR KNM",
    "KG Mobility": "KR KPT",
    # China and India
    "BYD": "CN LC0 LGX",
    "Geely": "CN L6T LB3",
    "Great Wall": "CN LGW",
    "Chery": "CN LVV",
    "MG": "CN LSJ",
    "Changan": "CN LS4 LS5",
    "XPeng": "CN L1N",
    "JAC": "CN LJ1",
    "Mahindra": "IN MA1",
    "Tata": "IN MAT",
}
"""Brand to the countries that assigned its WMIs, each with the WMIs."""
WMIS: Final[dict[str, tuple[str, str]]] = {
    wmi: (brand, country)
    for brand, rows in _BY_BRAND.items()
    for country, *wmis in map(str.split, rows.split(", "))
    for wmi in wmis
}
"""WMI (first three characters) -> (maker's brand, country that assigned the WMI; the car may be built elsewhere).

Well-known ones only. An unlisted WMI is not wrong: accreditation decides which maker may use it, this table names it.
"""
