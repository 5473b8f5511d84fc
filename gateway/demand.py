"""How much work the database holds, as metrics: what autoscaling of the gateways asks for."""

from __future__ import annotations

from dbos import DBOS
from prometheus_client import Gauge

from gateway.workflow import NAME

OPERATIONS = Gauge(
    "spark_operations",
    "Unfinished reconstructions in the database, by state: queued or running. Every replica shows the same.",
    ["state"],
)
_STATUSES = {"queued": ["DELAYED", "ENQUEUED"], "running": ["PENDING"]}


async def count() -> None:
    """Count them again."""
    for state, statuses in _STATUSES.items():
        found = await DBOS.list_workflows_async(name=NAME, status=statuses, load_input=False, load_output=False)
        OPERATIONS.labels(state).set(len(found))
