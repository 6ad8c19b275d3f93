"""What the wallet assumes where nothing is given."""

from typing import Final

DEFAULT_NODE: Final = "http://127.0.0.1:26700"
