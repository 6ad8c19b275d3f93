"""The strangers' share of the nodes, and which routes of the nodes strangers may read."""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack

import pytest
from support.life import VIN

from node.rpc.routes import ROUTES
from web.keeping import Kept
from web.share import Overloaded, Share
from web.strangers import RULES

FOR_STRANGERS = {
    "/v1/status", "/v1/genesis", "/v1/codes", "/v1/schema", "/v1/validators", "/v1/headers/{block}", "/v1/state/{key}",
    "/v1/members", "/v1/members/{address}", "/v1/members/{address}/conduct", "/v1/sites", "/v1/recalls",
    "/v1/recalls/{recall}", "/v1/listings", "/v1/listings/{listing}", "/v1/listings/{listing}/disclosure",
    "/v1/vehicles/{vin}", "/v1/vehicles/{vin}/report", "/v1/vehicles/{vin}/odometer", "/v1/vehicles/{vin}/recalls",
    "/v1/vehicles/{vin}/sale-readiness", "/v1/vehicles/{vin}/certificate", "/v1/absence/{vin}",
}  # fmt: skip
VALUES = {"vin": VIN, "listing": "0a" * 32, "block": "7", "key": f"vehicle%2F{VIN}"}


def is_for_strangers(path: str, *names: str) -> bool:
    return any(rule.path.fullmatch(path) and {*names} <= rule.names for rule in RULES)


def test_a_route_of_the_nodes_is_for_strangers_only_if_this_list_has_it() -> None:
    """So that a new one is not, before somebody has thought about it."""
    routes = {route.path for route in ROUTES if route.method == "GET" and route.path.startswith("/v1/")}
    paths = {route: re.sub(r"{(\w+)}", lambda name: VALUES.get(name[1], "some-1"), route) for route in routes}
    assert {route for route, path in paths.items() if is_for_strangers(path)} == FOR_STRANGERS


@pytest.mark.parametrize("path", [
    "/v1/members/..", "/v1/members/../accounts", "/v1/state/vehicle/..", f"/v1/state/order%2F{'0a' * 32}", "/v1/state/",
    f"/v1/state/vehicle%2F{VIN},account%2Fx", f"/v1/vehicles/{VIN.lower()}", f"/v1/vehicles/{VIN}/history",
    f"/v1/vehicles/{VIN}/report/", f"//v1/vehicles/{VIN}", f"/v1//vehicles/{VIN}", f"/v1/vehicles/{VIN}%2Fhistory",
    f"/v1/%76ehicles/{VIN}", "/v1/headers/latest%00", "/v1/headers/-1", f"/v1/vehicles/{VIN}\n",
])  # fmt: skip
def test_paths_that_only_look_like_those(path: str) -> None:
    assert not is_for_strangers(path)


def test_the_past_orders_and_anything_unknown_is_not_asked_for() -> None:
    assert is_for_strangers("/v1/validators", "height")
    assert is_for_strangers(f"/v1/vehicles/{VIN}/certificate", "redact", "form")
    for path, name in (
        (f"/v1/vehicles/{VIN}", "height"), (f"/v1/state/vehicle%2F{VIN}", "height"),
        (f"/v1/vehicles/{VIN}/sale-readiness", "order"), ("/v1/status", "x"), ("/v1/genesis", ""),
    ):  # fmt: skip
        assert is_for_strangers(path) and not is_for_strangers(path, name), path


def test_a_share_has_room_for_what_has_begun() -> None:
    share = Share(4, 1_000_000)
    with ExitStack() as stack:
        for _ in range(2):
            share.check_room()
            stack.enter_context(share.taken())
        with pytest.raises(Overloaded):
            share.check_room()
        for _ in range(2):
            stack.enter_context(share.taken())
        with pytest.raises(Overloaded), share.taken():
            pass
    share.check_room()
    assert 2 == share.refused


def test_a_share_is_used_up() -> None:
    share = Share(10, 0.001)
    with share.taken():
        """The one that is saved up; a thousand seconds bring the next."""
    with pytest.raises(Overloaded), share.taken():
        pass
    with pytest.raises(Overloaded):
        share.check_room()


def test_what_could_not_be_made_is_no_fault_of_a_task_nobody_waits_for() -> None:
    said: list[object] = []

    async def tried() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        kept, going_on = Kept(2), asyncio.Event()

        async def fail() -> None:
            await going_on.wait()
            raise ValueError

        reader = asyncio.create_task(kept.get("a", fail, 10))
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        going_on.set()
        while asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.sleep(0)
        del kept

    asyncio.run(tried())
    assert not said
