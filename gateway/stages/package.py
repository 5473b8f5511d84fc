"""Package."""

from gateway.stages.work import Outcome, Work


async def run(work: Work) -> Outcome:
    raise AssertionError
