"""Records and outcomes in the database that all gateways share."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from postgres import needs_postgres, new_database, postgres

from gateway.releases import state
from gateway.releases.gate import Outcome
from gateway.releases.state import Mode, ModelRecord
from gateway.releases.store import ReleaseStore
from serving.errors import ReleaseConflict

NEW = ModelRecord("vlm", stable="1")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def stores(request: pytest.FixtureRequest, tmp_path: Path):
    """Two gateways on one database."""
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("server"))
    else:
        url = f"sqlite:///{tmp_path / 'gateway.sqlite'}"
    found = ReleaseStore(url), ReleaseStore(url)
    yield found
    for store in found:
        store.close()


async def test_a_record_comes_back_as_it_was(stores) -> None:
    one, other = stores
    record = await one.save(state.deploy(NEW, "2", Mode.MIRROR, 0.25, 12.5, "a:1,b:2"))
    assert await other.get("vlm") == record
    failed = await one.save(state.failed(record, "no weights", {"check": "load"}))
    assert await other.all() == {"vlm": failed}


async def test_of_two_changes_at_once_one_is_refused(stores) -> None:
    one, other = stores
    changes = [state.deploy(NEW, version, Mode.CANARY, 0.1, 0.0, "a:1") for version in ("2", "3")]
    first = await asyncio.gather(one.save(changes[0]), other.save(changes[1]), return_exceptions=True)
    assert sorted(type(answer) for answer in first if isinstance(answer, Exception)) == [ReleaseConflict]
    record = await one.get("vlm")
    assert record is not None
    await one.save(state.loaded(record))
    with pytest.raises(ReleaseConflict):
        await other.save(state.failed(record, "", {}))


async def test_outcomes_count_once_and_since_the_release_began(stores) -> None:
    one, other = stores
    outcome = Outcome("1", failed=True, refused=False, confidence=None, seconds=1.5)
    for store in stores:
        await store.add("job", "vlm", outcome)
    record = state.deploy(NEW, "2", Mode.CANARY, 0.1, 0.0, "a:1")
    assert await other.outcomes(record) == {"1": [outcome]}
    assert record.release is not None
    later = replace(record, release=replace(record.release, start=4e9))
    assert await other.outcomes(later) == {}
    await one.forget_before(later)
    assert await other.outcomes(record) == {}
