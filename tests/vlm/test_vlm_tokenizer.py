"""The compact VLM's tokenizer."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from articulation.materials import MATERIALS
from services.vlm.plan_format import REFUSALS, dumps, refusal
from services.vlm.vocabulary import CATEGORIES, LABELS
from training.draw import Split
from training.library import build_library
from training.vlm_answers import prompt_text
from training.vlm_tokenizer import IMAGE, INTEGERS, build_tokenizer

TOKENIZER = build_tokenizer()


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_text_survives(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text).ids) == text


@pytest.mark.parametrize(
    "words", [CATEGORIES, LABELS, MATERIALS, REFUSALS], ids=["categories", "labels", "materials", "refusals"]
)
def test_every_word_is_one_token(words: Sequence[str]) -> None:
    assert [word for word in words if len(TOKENIZER.encode(word).ids) != 1] == []


@pytest.mark.parametrize("prefix", ["", ","])
def test_every_common_integer_is_one_token(prefix: str) -> None:
    assert all(len(TOKENIZER.encode(f"{prefix}{n}").ids) == 1 for n in range(INTEGERS[0], INTEGERS[1] + 1))


def test_a_generated_plan_spends_one_token_on_each_value_and_on_the_text_between() -> None:
    for text in build_library(range(20), Split.TRAIN, documents=True).documents:
        tokens = TOKENIZER.encode(text).tokens
        document = json.loads(text)
        values = 8 + sum(3 + 6 + 1 + _motion(part["joint"]) for part in document["parts"])
        fragments = 5 + sum(4 + len(part["joint"]) for part in document["parts"])
        assert len(tokens) <= values + fragments


def _motion(joint: dict[str, object]) -> int:
    return sum(len(value) if isinstance(value, list) else 1 for key, value in joint.items() if key != "type")


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_is_three_tokens(reason: str) -> None:
    assert len(TOKENIZER.encode(dumps(refusal(reason))).ids) == 3


def test_a_second_build_gives_the_same_ids() -> None:
    assert build_tokenizer().get_vocab() == TOKENIZER.get_vocab()


def test_the_prompt_holds_one_placeholder_for_each_image_token() -> None:
    assert TOKENIZER.encode(prompt_text(64)).tokens.count(IMAGE) == 64
