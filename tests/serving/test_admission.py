"""Who is let in when many come."""

from contextlib import ExitStack

import pytest

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
