"""The same work on many items, in several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def results(work: Callable[[T], R], items: Iterable[T], jobs: int) -> Iterator[R]:
    """What `work` makes of each item, in their order, torch computing on one thread.

    Args:
        work: what a new process can import, such as a function of a module or a `functools.partial` of one.
        items: that can be pickled.
        jobs: processes; with one, all is done in this one.
    """
    if jobs == 1:
        torch.set_num_threads(1)
        yield from map(work, items)
        return
    # Spawned, for a fork would share the channels that gRPC has opened.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (1,)) as pool:
        yield from pool.map(work, items)
