"""Codes by which a record states its reason or its source."""

from typing import Final

VIN_SOURCES: Final = ("obd", "scan", "typed_twice", "document")
"""Ways in which the author got the VIN. After `typed_twice` and `document` the record is marked as not scanned. Our
decision."""
AMEND_REASONS: Final = ("typing", "wrong_vehicle", "wrong_date", "duplicate", "completed")
"""Reasons for which an author amends its own record. Our decision."""
SIGHTING_REASONS: Final = ("service_request", "roadside", "port", "dismantler", "offer_online")
"""Occasions on which a car is seen whose author writes no other record about it. Our decision."""
ODOMETER_REPLACE_CAUSES: Final = (
    "cluster_failed", "cluster_replaced", "control_unit", "unit_converted", "recall",
)  # fmt: skip
"""Reasons for which an odometer starts anew. Our decision."""
MEDIA_TYPES: Final = (
    "image/jpeg", "image/png", "image/heic", "image/webp", "image/tiff", "application/pdf", "application/json",
    "application/xml", "application/zip", "application/octet-stream", "text/plain", "text/csv", "video/mp4",
    "video/quicktime",
)  # fmt: skip
"""Media types (IANA) of documents that are kept elsewhere. The list is closed, so that nothing else is written there.
Our decision."""
