"""Page tokens of the lists: where a page ended, whatever is added or deleted meanwhile."""

from __future__ import annotations

import base64
import binascii
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
        skip: how many of that very time were seen; SQLite knows whole seconds only.
    """

    before: int | None = None
    skip: int = 0

    @property
    def end_time(self) -> str | None:
        """`before` as DBOS takes it."""
        return None if self.before is None else datetime.fromtimestamp(self.before / 1000, UTC).isoformat()

    def cut(self, found: Sequence[WorkflowStatus], size: int) -> tuple[list[WorkflowStatus], Cursor | None]:
        """One page of up to `size` and, if there are more, the cursor of the next.

        Args:
            found: `size + 1` or fewer, from the cursor on.
        """
        page = list(found[:size])
        if len(found) <= size:
            return page, None
        before = page[-1].created_at
        skip = sum(status.created_at == before for status in page)
        return page, Cursor(before, skip + (self.skip if before == self.before else 0))

    def to_token(self) -> str:
        return base64.urlsafe_b64encode(f"{self.before}/{self.skip}".encode()).decode()

    @classmethod
    def from_token(cls, token: str) -> Cursor:
        """Raises InvalidRequest, naming `page_token`, for anything that `to_token` did not make."""
        if not token:
            return cls()
        try:
            before, skip = base64.urlsafe_b64decode(token).decode("ascii").split("/")
            cursor = cls(int(before), int(skip))
            if cursor.skip >= 0 and cursor.end_time:
                return cursor
        except (binascii.Error, ValueError, OverflowError, OSError):
            pass  # refused below, like a negative number
        raise InvalidRequest.at(FIELD, "did not come from a list")
