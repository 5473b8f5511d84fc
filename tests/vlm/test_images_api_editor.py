"""The editor behind the images API, against a local server that has that API and the compact model, or misbehaves."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from edit_plans import cabinet
from images_api_server import MODEL, ImagesServer, images_server

from articulation.files import png
from articulation.typing import ImageArray
from services.vlm.edit_model import EditModel
from services.vlm.edit_pipeline import CompactEditPipeline
from services.vlm.editing import ImageEditor
from services.vlm.engine import Abandoned
from services.vlm.images_api_editor import ImagesApiEditor, edit_seed
from services.vlm.model_server import ModelServer
from serving.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ModelNotReady,
    Overloaded,
    SparkError,
    StageFailed,
    Unavailable,
)

SIZE = 32
OPENING = [0.0, 0.0, 0.5, 0.5]


@pytest.fixture(scope="module")
def compact(tmp_path_factory: pytest.TempPathFactory) -> ImageEditor:
    """A fresh network: it draws the boxes in the colours that they carry, with a little noise of the seed."""
    torch.manual_seed(0)
    model = EditModel(image_size=SIZE, widths=(16, 32), layers=1, head_width=8)
    with torch.no_grad():
        model.paint.weight += 0.02 * torch.randn(model.paint.weight.shape)
    folder = tmp_path_factory.mktemp("compact-edit")
    CompactEditPipeline(model.half(), FlowMatchEulerDiscreteScheduler()).save_pretrained(folder)
    return ImageEditor.load(folder)


@pytest.fixture
def server(compact: ImageEditor) -> Iterator[ImagesServer]:
    with images_server(compact, cabinet()) as running:
        yield running


def client(server: ImagesServer, key: str = "", seconds: float = 30.0, concurrency: int = 4) -> ImagesApiEditor:
    return ImagesApiEditor(ModelServer("guide", server.address, MODEL, key, seconds), SIZE, concurrency)


def photograph(seed: int = 0) -> ImageArray:
    return np.random.default_rng(seed).integers(0, 200, (48, 48, 3), dtype=np.uint8)


def near(first: ImageArray, second: ImageArray) -> bool:
    """Equal but for the rounding of a network that drew another batch, and for what is nearly white beside."""
    return bool(np.median(np.abs(first.astype(int) - second)) <= 1) and bool(
        np.mean(np.abs(first.astype(int) - second) > 2) < 0.01
    )


def test_each_part_comes_as_the_in_process_editor_draws_it_from_the_edits_own_seed(
    server: ImagesServer, compact: ImageEditor
) -> None:
    plan = cabinet()
    whole, parts = client(server).part_references(photograph(), plan, seed=7)
    assert near(whole, compact.part_references(photograph(), plan, edit_seed(7, "object"))[0])
    assert len(parts) == len(plan.parts)
    for index, part in enumerate(plan.parts):
        expected = compact.part_references(photograph(), plan, edit_seed(7, f"part {part.name}"))[1][index]
        assert near(parts[index], expected), part.name
    assert len({picture.tobytes() for picture in (whole, *parts)}) == 5


def test_the_open_state_comes_as_the_in_process_editor_draws_it(server: ImagesServer, compact: ImageEditor) -> None:
    opened = client(server).open_state(photograph(), cabinet(), OPENING, seed=7)
    assert near(opened, compact.open_state(photograph(), cabinet(), OPENING, edit_seed(7, "open")))
    assert not near(opened, compact.open_state(photograph(), cabinet(), [0.0] * 4, edit_seed(7, "open")))


def test_pictures_depend_on_image_opening_and_seed_and_on_nothing_else(server: ImagesServer) -> None:
    editor, plan = client(server), cabinet()
    base = editor.open_state(photograph(), plan, OPENING, seed=7)
    assert (editor.open_state(photograph(), plan, OPENING, seed=7) == base).all()
    assert (editor.open_state(photograph(1), plan, OPENING, seed=7) != base).any()
    assert (editor.open_state(photograph(), plan, [0.0, 0.0, 1.0, 0.0], seed=7) != base).any()
    assert (editor.open_state(photograph(), plan, OPENING, seed=8) != base).any()


def test_the_form_is_what_the_api_takes(server: ImagesServer) -> None:
    client(server).open_state(photograph(), cabinet(), OPENING, seed=7)
    (form,) = server.forms
    assert form.pop("image") == png(photograph())
    assert b"drawer" in form.pop("prompt")
    assert form == {
        "model": MODEL.encode(),
        "n": b"1",
        "size": b"32x32",
        "seed": str(edit_seed(7, "open")).encode(),
        "response_format": b"b64_json",
        "output_format": b"png",
    }


def test_seeds_are_of_32_bits_never_zero_and_one_for_each_edit() -> None:
    seeds = [edit_seed(seed, name, attempt) for seed in (-1, 0, 2**63 - 1) for name in "ab" for attempt in (0, 1)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 < seed < 2**32 for seed in seeds)


def test_edits_run_at_once_up_to_the_bound(server: ImagesServer) -> None:
    server.hang = True
    full: list[float] = []

    def half_a_second_later() -> bool:
        if server.most == 3:
            full.append(time.monotonic())
        return bool(full) and time.monotonic() - full[0] > 0.5

    with pytest.raises(Abandoned):
        client(server, concurrency=3).part_references(photograph(), cabinet(), 0, half_a_second_later)
    assert server.most == len(server.forms) == 3


def grey(picture: ImageArray) -> ImageArray:
    return np.where((picture == 255).all(-1, keepdims=True), np.uint8(180), picture)


def enlarged(picture: ImageArray) -> ImageArray:
    """The middle of the picture, three times as large."""
    third = len(picture) // 3
    return np.kron(picture[third : 2 * third, third : 2 * third], np.ones((4, 4, 1), np.uint8))[:SIZE, :SIZE]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (grey, "not alone on white"),
        (lambda picture: np.full_like(picture, 255), "shows nothing"),
        (lambda picture: picture[:16, :16], "16 pixels wide instead of 32"),
        (lambda picture: picture[:16], "must be square"),
        (lambda picture: np.tile(picture, (2, 2, 1)), "more than 1024"),
    ],
    ids=["on grey", "blank", "too small", "not square", "too large"],
)
def test_a_picture_that_cannot_be_used_is_a_failure_that_names_the_edit(
    server: ImagesServer, spoil: Callable[[ImageArray], ImageArray], said: str
) -> None:
    server.spoil = lambda picture, _: spoil(picture)
    with pytest.raises(StageFailed, match=said) as failed:
        client(server).open_state(photograph(), cabinet(), OPENING, seed=0)
    assert failed.value.metadata == {"stage": "guide", "edit": "open"}


def test_an_edit_that_cannot_be_used_is_asked_for_once_more_with_another_seed(server: ImagesServer) -> None:
    server.spoil = lambda picture, before: picture if before else grey(picture)
    client(server).open_state(photograph(), cabinet(), OPENING, seed=7)
    assert [form["seed"] for form in server.forms] == [
        str(edit_seed(7, "open", attempt)).encode() for attempt in (0, 1)
    ]


def test_a_background_that_is_nearly_white_becomes_white(server: ImagesServer) -> None:
    server.spoil = lambda picture, _: np.minimum(picture, 246)
    opened = client(server).open_state(photograph(), cabinet(), OPENING, seed=0)
    assert (opened[0] == 255).all()
    assert opened.min() < 200


REFUSALS: list[tuple[int, dict[str, str], bytes, type[SparkError]]] = [
    (400, {}, b'{"detail": "Requested image size exceeds the maximum"}', StageFailed),
    (422, {}, b"{}", StageFailed),
    (404, {}, b'{"error": {"message": "The model does not exist"}}', ModelNotReady),
    (401, {}, b"{}", ModelNotReady),
    (429, {"retry-after": "9"}, b"", Overloaded),
    (500, {}, b'{"detail": "Image edit failed: out of memory"}', Unavailable),
    (503, {}, b"", Unavailable),
    (200, {}, b"no json", Unavailable),
    (200, {}, b'{"data": []}', Unavailable),
    (200, {}, b'{"data": [{"b64_json": "AAAA"}]}', StageFailed),
]


@pytest.mark.parametrize(("status", "headers", "body", "error"), REFUSALS, ids=[f"{r[0]} {r[2]!r}" for r in REFUSALS])
def test_what_the_server_answers_instead_is_a_typed_error(
    server: ImagesServer, status: int, headers: dict[str, str], body: bytes, error: type[SparkError]
) -> None:
    server.reply = (status, headers, body)
    with pytest.raises(SparkError) as caught:
        client(server).part_references(photograph(), cabinet(), seed=0)
    assert type(caught.value) is error
    if error is Overloaded:
        assert caught.value.retry_after == timedelta(seconds=9)


def test_a_wrong_key_is_a_model_that_is_not_ready(server: ImagesServer) -> None:
    server.key = "secret"
    client(server, key="secret").open_state(photograph(), cabinet(), OPENING, seed=0)
    with pytest.raises(ModelNotReady):
        client(server, key="other").open_state(photograph(), cabinet(), OPENING, seed=0)


def test_no_server_is_unavailable(compact: ImageEditor) -> None:
    with images_server(compact, cabinet()) as gone:
        pass
    with pytest.raises(Unavailable):
        client(gone).open_state(photograph(), cabinet(), OPENING, seed=0)


def test_a_server_that_does_not_answer_in_time_ends_in_its_deadline(server: ImagesServer) -> None:
    server.hang = True
    with pytest.raises(DeadlineExceeded):
        client(server, seconds=0.3).open_state(photograph(), cabinet(), OPENING, seed=0)


def test_who_stops_leaves_every_edit(server: ImagesServer) -> None:
    server.hang = True
    plan = cabinet()
    with pytest.raises(Abandoned):
        client(server, concurrency=5).part_references(photograph(), plan, 0, lambda: len(server.forms) == 5)
    assert _soon(lambda: server.left == 5)


def test_the_first_failure_ends_the_other_edits(server: ImagesServer) -> None:
    """One edit is refused while the others wait for an answer that never comes."""
    arrived = threading.Event()

    def fail_last(picture: ImageArray, before: int) -> ImageArray:
        if before < 4:
            arrived.wait(30)
            return picture
        raise ValueError("no")

    server.spoil = fail_last
    began = time.monotonic()
    with pytest.raises(StageFailed, match="refuses the request"):
        client(server, concurrency=5).part_references(photograph(), cabinet(), seed=0)
    assert time.monotonic() - began < 20
    arrived.set()


@pytest.mark.parametrize("opening", [[0.5], [0.0, 0.0, 2.0, 0.0]])
def test_an_opening_that_does_not_fit_is_refused_before_anything_is_asked(
    server: ImagesServer, opening: list[float]
) -> None:
    with pytest.raises(InvalidRequest):
        client(server).open_state(photograph(), cabinet(), opening, seed=0)
    assert server.forms == []


def _soon(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()
