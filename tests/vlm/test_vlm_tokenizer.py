"""The compact VLM's tokenizer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from articulation.materials import MATERIALS
from services.vlm.plan_format import dumps
from services.vlm.vocabulary import CATEGORIES, LABELS
from training.objects import Split
from training.vlm_data import prompt_text
from training.vlm_samples import samples
from training.vlm_tokenizer import IMAGE, INTEGERS, build_tokenizer

TOKENIZER = build_tokenizer()


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_text_survives(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text).ids) == text


@pytest.mark.parametrize("words", [CATEGORIES, LABELS, MATERIALS], ids=["categories", "labels", "materials"])
def test_every_word_is_one_token(words: dict[str, object]) -> None:
    assert [word for word in words if len(TOKENIZER.encode(word).ids) != 1] == []


@pytest.mark.parametrize("prefix", ["", ","])
def test_every_common_integer_is_one_token(prefix: str) -> None:
    assert all(len(TOKENIZER.encode(f"{prefix}{n}").ids) == 1 for n in range(INTEGERS[0], INTEGERS[1] + 1))


def test_a_generated_plan_spends_one_token_on_each_value_and_on_the_text_between() -> None:
    for sample in samples(range(20), Split.TRAIN):
        tokens = TOKENIZER.encode(dumps(sample.document)).tokens
        values = 8 + sum(3 + 6 + 1 + _motion(part["joint"]) for part in sample.document["parts"])
        fragments = 5 + sum(4 + len(part["joint"]) for part in sample.document["parts"])
        assert len(tokens) <= values + fragments


def _motion(joint: dict[str, object]) -> int:
    return sum(len(value) if isinstance(value, list) else 1 for key, value in joint.items() if key != "type")


def test_a_second_build_gives_the_same_ids() -> None:
    assert build_tokenizer().get_vocab() == TOKENIZER.get_vocab()


def test_the_prompt_holds_one_placeholder_for_each_image_token() -> None:
    assert TOKENIZER.encode(prompt_text(64)).tokens.count(IMAGE) == 64
