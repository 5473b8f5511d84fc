"""Which models are trained after which, and what one hands to the next."""

from argparse import Namespace
from pathlib import Path

import pytest

from training.train_all import QUEUES, Run, _options, export_folder

ARGUMENTS = Namespace(state=Path("state"), export=Path("models"), objects=7, init=False)


def queue_of(name: str) -> list[str]:
    return next(names for queue in QUEUES if name in (names := [run.name for run in queue]))


@pytest.mark.parametrize(("first", "then"), [("vae", "part_dit"), ("editor", "texture")])
def test_what_a_model_builds_on_is_trained_before_it(first: str, then: str) -> None:
    queue = queue_of(then)
    assert queue.index(first) < queue.index(then)


def test_a_queue_takes_no_more_than_the_whole_time() -> None:
    for queue in QUEUES:
        assert sum(run.share for run in queue) == pytest.approx(1.0)


def test_the_texture_network_is_told_the_fresh_editor_and_no_other_model_is() -> None:
    editor = f"--editor={export_folder(ARGUMENTS.export, 'editor')}"
    for run in (run for queue in QUEUES for run in queue):
        assert (editor in _options(run, 100.0, ARGUMENTS)) == (run.name == "texture")


def test_a_run_gets_its_share_of_the_seconds() -> None:
    options = _options(Run("editor", 0.5, (0,)), 100.0, ARGUMENTS)
    assert {"--run-seconds=50.0", "--total-seconds=50.0", "--objects=7"} <= set(options)
    assert "--init" not in options
