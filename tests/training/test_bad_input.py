"""Bad pictures, and what is made of the answers to them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plan_folders import write_random_folder

from gateway.images import normalise
from gateway.plans import LOW_CONFIDENCE
from serving.errors import ImageRefused, InvalidImage, StageFailed
from training import bad_input, bad_pictures
from training.bad_input import GOOD, Outcome, judge, page, sheet, summarise
from training.bad_pictures import BadPicture
from training.draw import Split

CAT = BadPicture("photograph", "cat", Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)))


def answering(confidence: float) -> bad_input.Asker:
    return lambda image: ("safe", confidence)


def failing(error: Exception) -> bad_input.Asker:
    def ask(image: bytes) -> tuple[str, float]:
        raise error

    return ask


@pytest.mark.parametrize(
    ("ask", "outcome"),
    [
        (failing(ImageRefused("no", metadata={"refusal": "no_object"})), "refused"),
        (failing(InvalidImage("one colour")), "refused"),
        (failing(StageFailed("nothing")), "failed"),
        (answering(LOW_CONFIDENCE - 0.01), "flagged"),
        (answering(LOW_CONFIDENCE), "accepted"),
    ],
)
def test_each_answer_has_its_outcome(ask: bad_input.Asker, outcome: str) -> None:
    assert judge(CAT, ask).outcome == outcome


def test_an_error_that_nobody_foresaw_is_no_outcome() -> None:
    with pytest.raises(ZeroDivisionError):
        judge(CAT, failing(ZeroDivisionError()))


def test_shares_are_of_each_kind_and_of_all_bad_ones() -> None:
    outcomes = [
        Outcome("text", "a", "refused", "", None),
        Outcome("text", "b", "accepted", "safe", 0.9),
        Outcome("noise", "c", "refused", "", None),
        Outcome(GOOD, "d", "flagged", "safe", 0.2),
    ]
    table = summarise(outcomes)
    assert table["text"] == {"n": 2, "refused": 0.5, "failed": 0, "flagged": 0, "accepted": 0.5}
    assert table["all bad"]["refused"] == pytest.approx(2 / 3, abs=1e-4)
    assert table[GOOD]["flagged"] == 1
    text = page(table, outcomes, "Four pictures")
    assert "| text | 2 | 0.50 | 0.00 | 0.00 | 0.50 |" in text
    assert "- b: safe, confidence 0.90" in text
    assert "- d" not in text


def test_drawn_pictures_are_many_repeat_and_can_be_uploaded_or_show_one_colour() -> None:
    makers = (bad_pictures.photographs, bad_pictures.pages, bad_pictures.noises, bad_pictures.patterns)
    first, again = ([image for make in makers for image in make()] for _ in range(2))
    assert len(first) >= 40
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(first, again, strict=True))
    for image in first:
        file = judge_file(image)
        assert len(normalise(file)) > 0
    refused = 0
    for image in bad_pictures.blanks():
        try:
            normalise(judge_file(image))
        except InvalidImage:
            refused += 1
    assert refused == 3


def judge_file(image: Image.Image) -> bytes:
    """The file that `judge` sends for an image."""
    sent: list[bytes] = []

    def ask(data: bytes) -> tuple[str, float]:
        sent.append(data)
        return "safe", 1.0

    judge(BadPicture("any", "any", image.convert("RGB")), ask)
    return sent[0]


def test_a_cut_out_covers_its_object_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bad_pictures, "SIDE", 48)
    alpha = np.asarray(bad_pictures._cut_out(Split.VAL, 1).getchannel("A"))
    assert set(np.unique(alpha)) == {0, 255}
    assert 0.05 < (alpha > 0).mean() < 0.75
    assert not alpha[0].any()


def test_the_program_measures_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bad_input, "bad_pictures", lambda split: [CAT])
    monkeypatch.setattr(bad_input, "SIDE", 48)
    folder = write_random_folder(tmp_path / "model")
    arguments = ["bad_input", "--engine", str(folder), "--out", str(tmp_path / "out"), "--good", "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    bad_input.main()
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert set(report["table"]) == {"all bad", "photograph", GOOD}
    assert [x["name"] for x in report["pictures"]] == ["cat", "good-000"]
    assert (tmp_path / "out/report.md").read_text().startswith("# Bad input")
    assert Image.open(tmp_path / "out/pictures.jpg").size == (12 * 96, 96)


def test_the_sheet_frames_outcomes() -> None:
    outcome = Outcome("text", "a", "accepted", "safe", 0.9)
    tile = np.asarray(sheet([CAT], [outcome]))
    assert tuple(tile[1, 1]) == (0xC0, 0x20, 0x20)
