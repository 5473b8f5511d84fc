"""A caller's own plan: from a file, through the `spark` command and a gateway, back into a file."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_fixtures import Api, local_gateway, toy_settings
from toy_services import ToyServices, picture
from typer.testing import CliRunner

from articulation.joint import Mimic
from client.cli import app
from client.errors import InvalidRequestError
from client.template import read_template
from gateway.plans import check_plan

API_PAGE = Path(__file__).parents[2] / "docs/api.md"


@pytest.fixture
async def toys() -> AsyncIterator[ToyServices]:
    async with ToyServices() as services:
        yield services


@pytest.fixture
async def server(toys: ToyServices, tmp_path: Path) -> AsyncIterator[Api]:
    async with local_gateway(toy_settings(tmp_path / "gateway", toys)) as api:
        yield api


async def spark(server: Api, folder: Path, *more: str) -> tuple[int, str]:
    """`spark reconstruct` of the toys' picture against a gateway, in a thread beside it."""
    (folder / "picture.png").write_bytes(picture())
    arguments = ["reconstruct", str(folder / "picture.png"), "-o", str(folder / "asset"), "--server", server.address]
    result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *more], env={"COLUMNS": "300"})
    return result.exit_code, result.output


async def test_a_saved_plan_is_a_template(server: Api, toys: ToyServices, tmp_path: Path) -> None:
    code, text = await spark(server, tmp_path, "--save-plan", str(tmp_path / "plan.json"))
    assert code == 0, text
    plan = json.loads((tmp_path / "plan.json").read_text())
    plan["size"] *= 2
    (tmp_path / "edited.json").write_text(json.dumps(plan))
    toys.board.calls.clear()
    edited, again = str(tmp_path / "edited.json"), str(tmp_path / "again.json")
    code, text = await spark(server, tmp_path, "--template", edited, "--save-plan", again)
    assert code == 0, text
    assert "plan" not in toys.board.calls
    assert json.loads(Path(again).read_text())["size"] == plan["size"]


async def test_a_template_that_describes_no_object_names_the_field(server: Api, tmp_path: Path) -> None:
    plan = json.loads(example())
    plan["parts"][1]["joint"]["axis"] = {"y": 0}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    code, text = await spark(server, tmp_path, "--template", str(tmp_path / "plan.json"))
    assert code == 2
    assert "options.template.parts[1].joint.axis" in text
    assert "PLAN_INVALID" in text


def test_a_template_that_is_no_plan_is_refused_before_a_server_is_asked(tmp_path: Path) -> None:
    for name in ("picture.png", "plan.json"):
        (tmp_path / name).write_text("{")
    command = ["reconstruct", str(tmp_path / "picture.png"), "--template", str(tmp_path / "plan.json")]
    result = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "asset"), "--server", "127.0.0.1:1"])
    assert result.exit_code == 2
    assert "options.template" in result.output


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "options.template"),
        ("[]", "options.template"),
        ("{", "options.template"),
        ("\udcff", "options.template"),
        ('{"colour": 1}', "options.template"),
        ('{"size": 1, "size": 2}', "options.template"),
        ('{"parts": 3}', "options.template.parts"),
        ('{"parts": [{"name": 3}]}', "options.template.parts.name"),
        ('{"parts": [{}, {"joint": {"type": "JOINT_TYPE_BALL"}}]}', "options.template.parts[1].joint.type"),
        ('{"parts": [{"joint": {"axis": {"x": "left"}}}]}', "options.template.parts[0].joint.axis.x"),
        ('{"parts": [{"joint": {"axes": {}}}]}', "options.template.parts[0].joint"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_field_named(text: str, field: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read_template(text.encode(errors="surrogateescape"))
    assert refused.value.violations[0][0] == field
    assert refused.value.reason == "PLAN_INVALID"


def test_the_documented_template_is_a_plan() -> None:
    plan = check_plan(read_template(example().encode()))
    assert [part.joint.mimic for part in plan.parts] == [None, None, Mimic("left_door")]


def example() -> str:
    """The template of `docs/api.md`."""
    found = re.findall(r"```json\n(.*?)```", API_PAGE.read_text(), re.DOTALL)
    return str(found[0])
