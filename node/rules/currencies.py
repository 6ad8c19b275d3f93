"""Currencies and their minor units: ISO 4217 table A.1, money that somebody can pay with.

As of 2026: BGN (euro since 1 January 2026), HRK, CUC, SLL are withdrawn; XCG has replaced ANG and ZWG has replaced ZWL.
Funds codes (BOV, CHE, CHW, CLF, COU, MXV, USN, UYI, UYW), metals, units of account and test codes are not money.
XAF, XCD, XCG, XOF and XPF are: currencies of several countries.
"""

from __future__ import annotations

from typing import Final

_NO_DIGITS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS: Final = "BHD IQD JOD KWD LYD OMR TND"
_TWO_DIGITS: Final = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE
    CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR
    KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB
    PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY
    TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    """

MINOR_UNITS: Final[dict[str, int]] = {
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
}
"""Currency code -> decimal digits: an amount of 5290000 is 52,900.00 EUR, 5,290,000 JPY or 5,290.000 KWD."""
