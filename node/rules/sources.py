"""Reasons and sources that a record states about itself."""

from typing import Final

VIN_SOURCES: Final = ("obd", "scan", "typed_twice", "document")
"""How the author got the VIN. After `typed_twice` and `document` the record is marked as not scanned. Our decision."""
AMEND_REASONS: Final = ("typing", "wrong_vehicle", "wrong_date", "duplicate", "completed")
"""Why an author amends his own record. Our decision."""
SIGHTING_REASONS: Final = ("service_request", "roadside", "port", "dismantler", "offer_online")
"""Where a car was seen that the author writes nothing else about. Our decision."""
ODOMETER_REPLACE_CAUSES: Final = (
    "cluster_failed", "cluster_replaced", "control_unit", "unit_converted", "recall",
)  # fmt: skip
"""Why an odometer starts anew. Our decision."""
MEDIA_TYPES: Final = (
    "image/jpeg", "image/png", "image/heic", "image/webp", "image/tiff", "application/pdf", "application/json",
    "application/xml", "application/zip", "application/octet-stream", "text/plain", "text/csv", "video/mp4",
    "video/quicktime",
)  # fmt: skip
"""The form of a document that is kept elsewhere (IANA media types). A closed list, so that nothing else is written
there. Our decision."""
