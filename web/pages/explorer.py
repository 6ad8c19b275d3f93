"""The explorer: the head, blocks, transactions, validators."""

from __future__ import annotations

from typing import Final

from web.asking import Ask, Drawn, Page

BLOCKS_SHOWN: Final = 12


async def explorer(ask: Ask) -> Drawn:
    """The head of the chain and the validators who decide it."""
    status = await ask.site.nodes.json("/v1/status")
    validators = await ask.site.nodes.json("/v1/validators")
    return Drawn("explorer.html", {"status": status, "validators": validators["validators"]})


PAGES: Final = (Page("/explorer", explorer, "explorer"),)
