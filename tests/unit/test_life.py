"""The whole life of a car on a single-producer chain: the main road, end to end."""

from support.chain import Chain, address
from support.life import VIN, Life, accident, maintenance

from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.vehicle import VEHICLE


def test_title_moves_with_final_money_and_both_signatures() -> None:
    life = Life(Chain()).to("handed_over")
    vehicle = life.chain.state(VEHICLE, VIN)
    assert address("buyer-1") == vehicle.holder
    assert "in_service" == vehicle.existence
    assert "off" == vehicle.market.status
    assert "completed" == life.chain.state(ORDER, life.order).status
    assert "sold" == life.chain.state(LISTING, life.listing).status


def test_maintenance_and_accident_are_recorded() -> None:
    life = Life(Chain()).to("born")
    life.chain.do("workshop-berlin", maintenance(life.chain))
    life.chain.do("workshop-berlin", accident(life.chain, extent="structural"))
    vehicle = life.chain.state(VEHICLE, VIN)
    assert (1, 1, 3) == (vehicle.maintenance_count, vehicle.accident_count, vehicle.record_count)
    assert [("collision_structural", "pending")] == [(brand.code, brand.state) for brand in vehicle.brands]
    assert "LOGICAL" == life.chain.state(ODOMETER, VIN).verdict
