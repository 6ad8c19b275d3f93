"""Uses the client that openapi-python-client generates, on a real node: use_generated.py URL SIGNED_HEX TXID VIN"""

import datetime
import sys

from vehicle_chain_client import Client
from vehicle_chain_client.api.chain import codes, validators
from vehicle_chain_client.api.node import status
from vehicle_chain_client.api.transactions import check, encode, submit, transaction
from vehicle_chain_client.api.values import history, vehicle, vehicles
from vehicle_chain_client.models import (
    CheckRequest,
    Committed,
    CommittedInFull,
    EncodeRequest,
    Problem,
    SubmitRequest,
    VehicleRegister,
)


def main(url: str, signed: str, txid: str, vin: str) -> None:
    client = Client(base_url=url)
    assert status.sync(client=client).head.time.tzinfo is not None
    assert validators.sync(client=client).validators[0].power > 0

    done = submit.sync(client=client, body=SubmitRequest(transaction=signed), wait="commit")
    assert isinstance(done, Committed), done
    found = transaction.sync(txid, client=client)
    assert isinstance(found, CommittedInFull), found
    assert isinstance(found.time, datetime.datetime)
    body = found.transaction.body
    assert isinstance(body, VehicleRegister), body
    assert (vin, "petrol", done.height) == (body.vin, body.powertrain, found.height)

    car = vehicle.sync(vin, client=client)
    assert car.market.until is None
    assert car.holder == found.transaction.sender
    assert vin in [entry.vin for entry in vehicles.sync(client=client, holder=car.holder).vehicles]
    (record,) = history.sync(vin, client=client).records
    assert isinstance(record.content, VehicleRegister)

    assert "ENGINE_OIL" in codes.sync(client=client).codes["services"]
    unmet = check.sync(client=client, body=CheckRequest(sender=car.holder, body=body)).unmet
    assert "vehicle_exists" in [guard.code for guard in unmet]
    encoded = encode.sync(client=client, body=EncodeRequest(sender=car.holder, body=body))
    assert encoded.payload in encoded.sign_bytes
    unknown = transaction.sync("00" * 32, client=client)
    assert isinstance(unknown, Problem), unknown
    assert unknown.code == "transaction_unknown"
    print("the client holds")


main(*sys.argv[1:])
