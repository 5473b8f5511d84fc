"""`spark models deploy | status | promote | rollback` as an operator types it, against a real gateway."""

import asyncio
import json

import pytest
import typer
from gateway_fixtures import Api
from toy_services import ToyServices
from typer.testing import CliRunner, Result

from client.cli import app
from client.releases import share


async def spark(api: Api, *arguments: str) -> Result:
    environment = {"SPARK_ADMIN": api.address, "COLUMNS": "200"}
    return await asyncio.to_thread(CliRunner().invoke, app, ["models", *arguments], env=environment)


@pytest.mark.parametrize(("text", "value"), [("10%", 0.1), ("0.25", 0.25), ("100%", 1.0), ("2.5%", 0.025), ("1", 1.0)])
def test_shares_are_read(text: str, value: float) -> None:
    assert share(text) == value


@pytest.mark.parametrize("text", ["0", "0%", "101%", "1.5", "-1", "ten", "10%%", ""])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        share(text)


async def test_a_release_from_the_command_line(api: Api, toys: ToyServices) -> None:
    deployed = await spark(
        api, "deploy", "refinement", "--version", "2", "--canary", "10%", "--address", toys.refinement.address
    )
    assert deployed.exit_code == 0, deployed.output
    assert "version 2: serving, canary 10%, hold" in deployed.output

    again = await spark(api, "deploy", "refinement", "--version", "3", "--mirror", "10%", "--address", "localhost:1")
    assert (again.exit_code, "RELEASE_CONFLICT" in again.output) == (1, True)
    early = await spark(api, "promote", "refinement")
    assert early.exit_code == 1
    assert "not ready" in early.output, early.output

    assert (await spark(api, "promote", "refinement", "--to", "50%", "--force")).exit_code == 0
    status = await spark(api, "status", "refinement")
    assert "canary 50%" in status.output
    assert toys.refinement.address in status.output
    listed = json.loads((await spark(api, "status", "--json")).output)
    models = sorted(one["name"].removeprefix("models/") for one in listed["models"])
    assert models == ["part_dit", "refinement", "texture", "vlm"]

    back = await spark(api, "rollback", "refinement")
    assert (back.exit_code, "rolled back" in back.output) == (0, True)
    assert (await spark(api, "rollback", "refinement")).exit_code == 1


async def test_what_is_wrong_ends_with_a_message_and_a_code(api: Api) -> None:
    unknown = await spark(api, "status", "nobody")
    assert (unknown.exit_code, "there is no models/nobody" in unknown.output) == (2, True)
    where = await spark(api, "deploy", "vlm", "--version", "2", "--canary", "10%")
    assert (where.exit_code, "addresses" in where.output) == (2, True)
    both = await spark(api, "deploy", "vlm", "--version", "2", "--canary", "10%", "--mirror", "10%")
    assert both.exit_code == 2
    api.address = "127.0.0.1:1"
    assert (await spark(api, "status")).exit_code == 3
