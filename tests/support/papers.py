"""A car with a life that a certificate on paper has something to show of, and its certificate."""

from __future__ import annotations

import ctypes

import pypdfium2
from pypdfium2 import raw as pdfium

from node.certificates.build import Certificates, Form, packed
from node.certificates.roots import root_of_genesis
from node.certificates.verifier import Root
from node.ledger.json_form import time_to_text
from node.txtypes.members.member import FRAUDS, Fraud, Frauds
from support.chain import DAY_MS, Chain, address
from support.disputing import answered, crashed, decided, disputed, reading
from support.life import VIN, Life, maintenance, register
from support.stages import at, force

FORMS: dict[int, Form] = {2: "redacted", 5: "hidden"}


def eventful_life(chain: Chain | None = None) -> Life:
    """A car with services, an accident, a false reading that arbiters annul, and an author revoked for fraud. `chain`:
    a new one to begin it on."""
    if chain is None:
        life = at("wholesale")
        chain = life.chain
    else:
        life = Life(chain)
        chain.do("bmw", register(produced_on=time_to_text(chain.now - 40 * DAY_MS)[:10]))
        life.wholesale()
    for days, author, value, services in (
        (90, "workshop-berlin", 8_400, ("ENGINE_OIL", "BRAKE_FLUID")),
        (210, "workshop-hamburg", 21_950, ("TYRES_SEASONAL",)),
        (150, "workshop-berlin", 35_120, ("ENGINE_OIL", "BRAKE_PADS_FRONT", "BRAKE_DISCS_FRONT")),
    ):
        chain.now += days * DAY_MS
        chain.do(author, maintenance(chain, value, services=services))
    crashed(life, value=36_000)
    chain.now += 40 * DAY_MS
    false = reading(life, "workshop-hamburg", 3_700)
    dispute = disputed(life, false, ground="wrong_reading")
    answered(life, dispute, "workshop-hamburg")
    decided(life, dispute, "annulled")
    chain.now += 60 * DAY_MS
    reading(life, "workshop-berlin", 41_300)
    force(chain, FRAUDS, "all", Frauds((Fraud(address("workshop-hamburg"), "workshop", 0),)))
    chain.produce()
    return life


def history_file(chain: Chain, forms: dict[int, Form] | None = None) -> tuple[bytes, Root]:
    """The certificate of the car's history, and the root that it leads from. `forms`: of records not given whole."""
    makes = Certificates(chain.genesis, chain.store, chain.store.proof)
    raw = makes.history(VIN, lambda sequence: (forms or {}).get(sequence, "whole"))
    assert raw is not None
    return packed(raw), root_of_genesis(chain.genesis)


def attached(paper: bytes) -> tuple[str, bytes]:
    """(name, bytes) of the one file that is attached."""
    document = pypdfium2.PdfDocument(paper)
    assert 1 == pdfium.FPDFDoc_GetAttachmentCount(document)
    attachment = pdfium.FPDFDoc_GetAttachment(document, 0)
    name, size = ctypes.create_string_buffer(256), ctypes.c_ulong()
    length = pdfium.FPDFAttachment_GetName(attachment, ctypes.cast(name, ctypes.POINTER(ctypes.c_ushort)), 256)
    pdfium.FPDFAttachment_GetFile(attachment, None, 0, size)
    data = ctypes.create_string_buffer(size.value)
    pdfium.FPDFAttachment_GetFile(attachment, data, size, size)
    return name.raw[: length - 2].decode("utf-16-le"), data.raw
