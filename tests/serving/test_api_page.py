"""`docs/api.md` publishes exactly the errors that the servers send."""

import re
from pathlib import Path

from serving.errors import Reason

PAGE = Path(__file__).resolve().parents[2] / "docs/api.md"


def test_the_error_table_is_the_enum() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(reason.value, reason.code.name, reason.meaning) for reason in Reason]
