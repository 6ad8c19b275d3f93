"""Rail policy: the countries whose law forbids a rail.

A rail is looked up in every country of a deal: of the listing, of the members who sell, act as agent or provide the
payment, of the car's registration, and of the delivery. Limits on cash concern no rail of this chain, and no country is
known to limit one of the others by amount.
"""

from typing import Final

_CRYPTO: Final = frozenset({"bitcoin", "ether"})
FORBIDDEN_RAILS: Final[dict[str, frozenset[str]]] = {
    "BD": _CRYPTO,  # Bangladesh Bank: Foreign Exchange Regulation Act 1947 (notice of 2017)
    "CN": _CRYPTO,  # People's Bank of China and nine agencies, notice published 24 September 2021
    "DZ": _CRYPTO,  # loi de finances 2018, article 117
    "EG": _CRYPTO,  # law 194 of 2020 (central bank and banking), article 206
    "ID": _CRYPTO,  # currency law 7/2011: payments in rupiah only; Bank Indonesia 19/12/PBI/2017
    "IQ": _CRYPTO,  # Central Bank of Iraq, statement of 2017
    "KW": _CRYPTO,  # Capital Markets Authority, circular 10 of 2023
    "MA": _CRYPTO,  # Office des Changes, notice of 20 November 2017
    "NP": _CRYPTO,  # Nepal Rastra Bank, notice of 2017, repeated 2021
    "RU": _CRYPTO,  # law 259-FZ of 2020, article 14(5): residents may not accept digital currency as payment
    "TN": _CRYPTO,  # Banque Centrale de Tunisie, 2018
    "TR": _CRYPTO,  # regulation on the disuse of crypto assets in payments, 16 April 2021
}
"""Country -> rails that are forbidden there. An unlisted country has no known prohibition."""
