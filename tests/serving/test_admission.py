"""Who is let in when many come."""

from contextlib import ExitStack

import pytest
from prometheus_client import REGISTRY

from serving.admission import Admission
from serving.errors import Overloaded


def test_those_at_work_and_those_that_wait_fill_all_places() -> None:
    admission = Admission(concurrency=2, queue=1, seconds=4)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(admission.place())
        with pytest.raises(Overloaded) as caught, admission.place():
            pass
    assert caught.value.retry_after is not None
    assert caught.value.retry_after.total_seconds() == 6  # three requests of 4 s, two at a time


def test_a_place_is_free_again_after_an_error() -> None:
    admission = Admission(concurrency=1, queue=0, seconds=1)
    for _ in range(2):
        with pytest.raises(KeyError), admission.place():
            raise KeyError


def test_metrics_tell_those_at_work_from_those_that_wait() -> None:
    admission = Admission(concurrency=2, queue=4, seconds=1)
    for requests, shown in ((0, (0, 0)), (1, (1, 0)), (3, (2, 1)), (6, (2, 4))):
        with ExitStack() as stack:
            for _ in range(requests):
                stack.enter_context(admission.place())
            assert tuple(pending(state) for state in ("working", "waiting")) == shown
    assert pending("working") == pending("waiting") == 0


def pending(state: str) -> float | None:
    return REGISTRY.get_sample_value("spark_pending_requests", {"state": state})
