"""The training program, end to end on toy sizes, and what it learns from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from articulation.camera import Camera
from articulation.joint import JointType
from services.vlm.hints import counts
from services.vlm.plan_format import REFUSALS, camera_to_list, dumps, parse, refusal
from services.vlm.transformers_engine import TransformersEngine
from training import train_vlm
from training.draw import Split
from training.library import Library, build_library
from training.objects import sample_cameras
from training.render import Background, render
from training.scene import JOINT_TYPES
from training.vlm_answers import Answers, prompt_text, random_hints, tokenise
from training.vlm_data import Ring, Studio, Views, augment, padded_sequences
from training.vlm_dense import UNKNOWN, DenseHead, dense_links, part_table
from training.vlm_evaluate import judge, measure
from training.vlm_model import TOY
from training.vlm_tokenizer import END, build_tokenizer

TOKENIZER = build_tokenizer()
ROWS = torch.arange(8)


@pytest.fixture(scope="module")
def library() -> Library:
    return build_library(range(8), Split.TRAIN, documents=True)


@pytest.fixture(scope="module")
def answers(library: Library) -> Answers:
    return tokenise(library.documents, TOKENIZER, "cpu")


@pytest.fixture(scope="module")
def views(library: Library, answers: Answers) -> Views:
    studio = Studio(library, answers, TOKENIZER, TOY, Split.TRAIN, 0)
    return studio.objects(ROWS, studio.cameras(ROWS), Background.RANDOM)


def test_a_toy_run_lowers_its_loss_resumes_and_exports_a_usable_folder(tmp_path: Path) -> None:
    state, export = tmp_path / "state", tmp_path / "export"
    command = ["--toy", "--objects=12", f"--state={state}", f"--export={export}", "--total-seconds=40"]
    train_vlm.main([*command, "--run-seconds=12"])
    train_vlm.main([*command, "--run-seconds=8"])
    curve = [json.loads(line) for line in (state / "vlm-curve.jsonl").read_text().splitlines()]
    steps = [line for line in curve if "loss" in line]
    exams = [line for line in curve if "held_out_nll" in line]
    assert np.mean([line["seen_numbers"] for line in steps[-3:]]) < steps[0]["seen_numbers"]
    assert len(exams) == 2
    assert exams[1]["held_out_nll"] < exams[0]["held_out_nll"]
    assert "Apache-2.0" in (export / "README.md").read_text()
    facts = json.loads((export / "training.json").read_text())
    assert facts["seconds"] > 12
    assert facts["best_step"] in [line["step"] for line in exams]
    picture = np.full((64, 64, 3), 200, np.uint8)
    completion = TransformersEngine.load(export).complete(picture, [], {"const": refusal("unclear")}, None, bool)
    assert completion.text == dumps(refusal("unclear"))


def test_ids_are_those_of_the_whole_document_under_the_views_camera(library: Library, answers: Answers) -> None:
    studio = Studio(library, answers, TOKENIZER, TOY, Split.TRAIN, 0)
    cameras = studio.cameras(ROWS)
    views = studio.objects(ROWS, cameras, Background.WHITE)
    ids, targets = padded_sequences(answers, views)
    for row, document in enumerate(library.documents):
        whole = json.loads(document) | {"camera": camera_to_list(Camera.from_array(cameras[row]))}
        expected = TOKENIZER.encode(dumps(whole) + END).ids
        start = int(views.asked.prompt_lengths[row])
        assert ids[row, start : start + len(expected)].tolist() == expected
        assert targets[row].tolist() == [-1] * start + expected + [-1] * (ids.shape[1] - start - len(expected))
        assert ids[row, :start].tolist() == TOKENIZER.encode(prompt_text(TOY.grid**2)).ids
        assert views.lengths[row] == start + len(expected)


def test_a_stated_count_is_true_and_stands_in_the_prompt(library: Library, answers: Answers) -> None:
    document = library.documents[0]
    stated = next(hints for seed in range(100) if (hints := random_hints(document, np.random.default_rng(seed))))
    labels = [part["label"] for part in json.loads(document)["parts"][1:]]
    assert all(labels.count(label) == count for label, count in counts(stated).items())
    studio = Studio(library, answers, TOKENIZER, TOY, Split.TRAIN, 0)
    views = studio.objects(ROWS[:1], studio.cameras(ROWS[:1]), Background.WHITE, [stated])
    start = int(views.asked.prompt_lengths[0])
    assert views.asked.prompt[0, :start].tolist() == TOKENIZER.encode(prompt_text(TOY.grid**2, stated)).ids


def test_pictures_to_be_refused_have_a_refusal_for_an_answer(library: Library, answers: Answers) -> None:
    views = Studio(library, answers, TOKENIZER, TOY, Split.TRAIN, 0).refused(6)
    _, targets = padded_sequences(answers, views)
    texts = {TOKENIZER.decode(row[row >= 0].tolist()) for row in targets}
    assert texts <= {dumps(refusal(reason)) for reason in REFUSALS}
    assert (views.links == UNKNOWN).all()


def test_each_spot_names_the_part_that_the_picture_shows_there(library: Library) -> None:
    scene = library.scene(ROWS)
    closed = torch.zeros(scene.link_valid.shape)
    cameras = torch.from_numpy(sample_cameras(np.random.default_rng(0), Split.TRAIN, library.half_extent.numpy()))
    links = render(scene, cameras, closed, scene.link_valid, TOY.image).link
    spots, table = dense_links(links, TOY), part_table(scene)
    index = torch.arange(TOY.image**2).reshape(1, TOY.image, TOY.image)
    row, column, spot = 5, 2, 3  # the lower right spot of the patch in this row and column
    pixel = index[0, row * TOY.patch + 6, column * TOY.patch + 6]
    patch = (row // 2 * TOY.grid + column // 2) * 4 + row % 2 * 2 + column % 2
    assert (spots[:, patch, spot].long() - 1 == links.flatten(1)[:, pixel]).all()
    for one, spec_boxes, valid in zip(table, scene.boxes, scene.link_valid, strict=True):
        torch.testing.assert_close(one[: len(valid), 1:7].float(), spec_boxes, atol=2e-3, rtol=1e-3)
    doors = scene.joint_type == JOINT_TYPES.index(JointType.REVOLUTE)
    torch.testing.assert_close(
        table[:, : doors.shape[1]][doors][:, 14].float(), scene.joint_upper[doors], rtol=1e-3, atol=0
    )


def test_unknown_spots_cost_nothing(views: Views) -> None:
    head = DenseHead(TOY.vision_width)
    hidden = torch.randn(len(views), 4 * TOY.grid**2, TOY.vision_width)
    links = views.links.clone()
    links[:, : TOY.grid] = UNKNOWN
    before = head(hidden, links, views.parts)
    hidden[:, : TOY.grid] += 1
    assert [x.item() for x in head(hidden, links, views.parts)] == [x.item() for x in before]


def test_a_batch_is_of_about_equal_length_and_the_ring_forgets_the_oldest(library: Library, answers: Answers) -> None:
    ring = Ring(Studio(library, answers, TOKENIZER, TOY, Split.TRAIN, 0), answers, 16, 4, 0)
    ring.fill(16)
    short, long = (ring.batch(4, group)[0].lengths for group in (0.0, 0.99))
    assert short.max() <= long.min()
    before = ring.batch(32, 0.0)[0].images
    while ring.taken < 32:
        ring.renew()
    after = ring.batch(32, 0.0)[0].images
    assert not {row.tobytes() for row in before.numpy()} & {row.tobytes() for row in after.numpy()}


def test_augmentation_changes_pictures_but_keeps_them_pictures(views: Views) -> None:
    torch.manual_seed(0)
    changed = augment(views.images)
    assert changed.shape == views.images.shape
    assert 0 <= changed.min() < changed.max() <= 1
    difference = (changed - views.images / 255).abs().mean((1, 2, 3))
    assert (difference > 0.005).all()
    assert difference.mean() < 0.25


def test_views_repeat_by_seed_and_differ_between_seeds(library: Library, answers: Answers) -> None:
    first, again, other = (Studio(library, answers, TOKENIZER, TOY, Split.TRAIN, seed).random(4) for seed in (3, 3, 4))
    assert (first.images == again.images).all()
    assert (first.asked.camera == again.asked.camera).all()
    assert (first.images != other.images).any()


def test_true_answers_score_full_marks_and_other_objects_answers_do_not(views: Views, answers: Answers) -> None:
    _, targets = padded_sequences(answers, views)
    texts = [TOKENIZER.decode(row[row >= 0].tolist()) for row in targets]
    truths = [parse(text) for text in texts]
    right = measure([judge(text, truth) for text, truth in zip(texts, truths, strict=True)])
    for key in ("valid", "category", "count", "labels", "success", "range_iou", "tree_accuracy", "exact"):
        assert right[key] == 1
    for key in ("refused", "type_error", "axis_error_rad", "origin_error", "box_error", "view_error"):
        assert right[key] == 0
    wrong = measure([judge(text, truth) for text, truth in zip([*texts[1:], texts[0]], truths, strict=True)])
    assert wrong["exact"] < 0.5
    assert wrong["box_error"] > 0.05
    assert wrong["view_error"] > 1


def test_an_answer_without_a_plan_misses_everything(views: Views, answers: Answers) -> None:
    _, targets = padded_sequences(answers, views)
    truth = parse(TOKENIZER.decode(targets[0][targets[0] >= 0].tolist()))
    for text, refused in (("no plan", 0), (dumps(refusal("unclear")), 1)):
        scores = measure([judge(text, truth)])
        assert scores["type_error"] == 1
        assert scores["count"] == scores["tree_accuracy"] == scores["success"] == 0
        assert scores["refused"] == refused
