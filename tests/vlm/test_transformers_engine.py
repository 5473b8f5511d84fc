"""The in-process engine on a real Qwen3-VL folder of toy size with random weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from llguidance import LLMatcher
from PIL import Image
from plan_folders import write_random_folder
from spoilt_weights import SPOILT
from transformers import AutoImageProcessor, AutoTokenizer

from articulation.joint import JointType
from checkpoints import loading
from services.vlm.constraint import grammar_tokenizer
from services.vlm.engine import Abandoned, Repair
from services.vlm.plan_format import REFUSALS, dumps, parse, refusal
from services.vlm.plan_schema import plan_schema
from services.vlm.planner import plan_image
from services.vlm.transformers_engine import TransformersEngine
from serving.errors import ModelNotReady
from training.vlm_answers import prompt_text
from training.vlm_model import TOY
from training.vlm_tokenizer import build_tokenizer

PICTURES = [np.random.default_rng(i).integers(0, 256, (512, 512, 3), dtype=np.uint8) // (i + 1) for i in range(3)]
FEW = plan_schema(["body", "door", "drawer"])


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_folder(tmp_path_factory.mktemp("compact-plan"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> TransformersEngine:
    return TransformersEngine.load(folder)


def second(seed: int) -> Repair:
    return Repair("{", "is not JSON", seed)


@pytest.mark.parametrize("repair", [None, second(1), second(2)])
def test_noise_for_weights_still_answers_in_the_schema(engine: TransformersEngine, repair: Repair | None) -> None:
    for picture in PICTURES:
        completion = engine.complete(picture, [], FEW, repair, never)
        jsonschema.Draft202012Validator(FEW).validate(json.loads(completion.text))
        assert [part.label for part in parse(completion.text).parts] == ["body", "door", "drawer"]


def test_an_answer_of_free_length_is_a_plan(engine: TransformersEngine) -> None:
    plan = plan_image(engine, PICTURES[0], [], 0)
    assert plan.parts[0].joint.type is JointType.FIXED
    assert 0 < plan.confidence < 1


def test_the_grammar_admits_each_refusal_as_a_whole_answer(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    grammar = LLMatcher.grammar_from_json_schema(plan_schema(), defaults={"whitespace_flexible": False})
    for reason in REFUSALS:
        matcher = LLMatcher(grammar_tokenizer(tokenizer, len(tokenizer)), grammar)
        ids = tokenizer(dumps(refusal(reason)))["input_ids"]
        assert matcher.try_consume_tokens(ids) == len(ids)
        assert matcher.is_accepting()


def test_the_answer_depends_on_the_picture_and_repeats(engine: TransformersEngine) -> None:
    texts = [engine.complete(picture, [], FEW, None, never).text for picture in (*PICTURES, PICTURES[0])]
    assert texts[0] == texts[3]
    assert len(set(texts)) > 1


def test_the_repair_of_a_model_with_a_prompt_of_its_own_is_a_draw_that_repeats_by_seed(
    engine: TransformersEngine,
) -> None:
    first, again, other = (engine.complete(PICTURES[0], [], FEW, second(seed), never).text for seed in (1, 1, 2))
    assert first == again != other


def test_a_model_without_a_prompt_of_its_own_is_told_what_was_wrong(folder: Path, tmp_path: Path) -> None:
    told = Path(shutil.copytree(folder, tmp_path / "converses"))
    (told / "prompt.txt").unlink()
    engine = TransformersEngine.load(told)
    first, again, other, without = (
        engine.complete(PICTURES[0], [], FEW, repair, never).text
        for repair in (second(1), second(2), Repair("{", "names no category", 1), None)
    )
    assert first == again
    assert len({first, other, without}) == 3


def test_tokens_cover_the_answer(engine: TransformersEngine) -> None:
    completion = engine.complete(PICTURES[0], [], FEW, None, never)
    assert "".join(completion.text[t.start : t.end] for t in completion.tokens) == completion.text
    assert completion.tokens[0].start == 0
    assert all(a.end == b.start for a, b in zip(completion.tokens, completion.tokens[1:], strict=False))
    assert all(0 < token.probability <= 1 for token in completion.tokens)


def test_asking_to_stop_abandons_the_answer_within_a_few_tokens(engine: TransformersEngine) -> None:
    calls = iter(range(1000))
    with pytest.raises(Abandoned):
        engine.complete(PICTURES[0], [], FEW, None, lambda: next(calls) >= 5)
    assert next(calls) < 10


def test_a_hint_binds_the_plan_of_a_real_engine(engine: TransformersEngine) -> None:
    plan = plan_image(engine, PICTURES[1], ["two drawers"], 0)
    assert [part.label for part in plan.parts].count("drawer") == 2


def test_the_chat_template_writes_what_training_wrote(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    content = [{"type": "image"}, {"type": "text", "text": (folder / "prompt.txt").read_text().strip()}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    assert text == prompt_text(1)
    trained = build_tokenizer().encode(prompt_text(16)).ids
    assert tokenizer(prompt_text(16))["input_ids"] == trained


def test_a_gateway_picture_becomes_the_grid_that_the_model_was_trained_on(folder: Path) -> None:
    processed = AutoImageProcessor.from_pretrained(folder)(images=[Image.fromarray(PICTURES[0])], return_tensors="pt")
    assert processed["image_grid_thw"].tolist() == [[1, 2 * TOY.grid, 2 * TOY.grid]]


def test_a_folder_without_weights_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(ModelNotReady) as raised:
        TransformersEngine.load(tmp_path)
    assert raised.value.message.startswith(f"no usable vision-language model: {tmp_path.name} holds no")


@pytest.mark.parametrize(("spoil", "said"), SPOILT.items(), ids=[spoil.__name__ for spoil in SPOILT])
def test_a_spoilt_folder_is_not_ready(folder: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoilt = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    spoil(next(spoilt.glob("*.safetensors")))
    with pytest.raises(ModelNotReady, match=said):
        TransformersEngine.load(spoilt)


def test_weights_larger_than_the_gpu_are_not_ready(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "free_bytes", lambda device: 1000)
    with pytest.raises(ModelNotReady, match="GiB free"):
        TransformersEngine.load(folder)
