"""Work shared by processes."""

import os

import pytest

from training.jobs import results


def process_of(item: int) -> tuple[int, int]:
    return item, os.getpid()


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    assert [item for item, _ in results(process_of, range(7), jobs)] == list(range(7))


def test_one_job_works_in_this_process() -> None:
    assert {pid for _, pid in results(process_of, range(3), 1)} == {os.getpid()}


def test_several_jobs_work_in_others() -> None:
    assert os.getpid() not in {pid for _, pid in results(process_of, range(3), 2)}


def test_an_error_of_the_work_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(results(lambda item: 1 // item, [1, 0], 1))
