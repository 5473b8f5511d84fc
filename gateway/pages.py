"""Page tokens of the lists: where a page ended, whatever is added or deleted meanwhile."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dbos import WorkflowStatus

from serving.errors import InvalidRequest

DEFAULT_SIZE = 50
FIELD = "page_token"


@dataclass(frozen=True)
class Cursor:
    """A place in the list of reconstructions, newest first.

    Attributes:
        before: creation time of the last one seen [ms since the epoch]; None at the top.
        seen: identifiers of those of that very millisecond that were seen.
    """

    before: int | None = None
    seen: tuple[str, ...] = ()

    @property
    def end_time(self) -> str | None:
        """`before` as DBOS takes it."""
        return None if self.before is None else datetime.fromtimestamp(self.before / 1000, UTC).isoformat()

    def limit(self, size: int) -> int:
        """How many to fetch so that `cut` can fill a page and tell whether another follows."""
        return size + 1 + len(self.seen)

    def cut(self, found: Sequence[WorkflowStatus], size: int) -> tuple[list[WorkflowStatus], Cursor | None]:
        """One page out of what lies at or after the cursor, and the cursor of the next page, if there is one."""
        fresh = [status for status in found if status.workflow_id not in self.seen]
        page = fresh[:size]
        if len(fresh) <= size:
            return page, None
        before = page[-1].created_at
        seen = [status.workflow_id for status in page if status.created_at == before]
        return page, Cursor(before, (*(self.seen if before == self.before else ()), *seen))

    def to_token(self) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.before, *self.seen]).encode()).decode()

    @classmethod
    def from_token(cls, token: str) -> Cursor:
        """Raises InvalidRequest, naming `page_token`, for anything that `to_token` did not make."""
        if not token:
            return cls()
        try:
            before, *seen = json.loads(base64.urlsafe_b64decode(token))
            cursor = cls(int(before), tuple(str(identifier) for identifier in seen))
            cursor.end_time  # noqa: B018  a time out of range shows here
        except (binascii.Error, ValueError, TypeError, OverflowError, OSError) as error:
            raise InvalidRequest.at(FIELD, "did not come from a list") from error
        return cursor
