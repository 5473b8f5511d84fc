"""Part hints: which of them bind, and how a plan is made to fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vlm.hints import counts, describe, fit, plural
from services.vlm.vocabulary import LABELS, MAX_PARTS


@pytest.mark.parametrize(
    ("hint", "wanted"),
    [
        ("two drawers", {"drawer": 2}),
        ("It has 3 doors and a lid", {"door": 3, "lid": 1}),
        ("no handle", {"handle": 0}),
        ("one control panel", {"control_panel": 1}),
        ("two shelves", {"shelf": 2}),
        ("two doors on the left", {"door": 2}),
        ("the door opens to the left", {}),
        ("two dragons", {}),
        ("99 knobs", {"knob": MAX_PARTS - 1}),
    ],
)
def test_counted_parts_bind(hint: str, wanted: dict[str, int]) -> None:
    assert counts([hint]) == wanted


def test_a_later_hint_overrides_an_earlier_one() -> None:
    assert counts(["two drawers", "three drawers"]) == {"drawer": 3}


@given(st.dictionaries(st.sampled_from(sorted(LABELS)), st.integers(0, MAX_PARTS - 1)))
def test_described_counts_are_read_back(wanted: dict[str, int]) -> None:
    assert counts([describe(wanted)]) == wanted


def test_plurals_name_one_label_each() -> None:
    assert len({plural(label) for label in LABELS}) == len(LABELS)


def test_missing_parts_are_added_and_surplus_ones_left_out() -> None:
    assert fit(["body", "door", "door", "knob"], {"door": 1, "drawer": 2}) == [
        "body",
        "door",
        "knob",
        "drawer",
        "drawer",
    ]


@given(
    st.lists(st.sampled_from(sorted(LABELS)), min_size=1, max_size=MAX_PARTS),
    st.dictionaries(st.sampled_from(sorted(LABELS)), st.integers(0, 5), max_size=3),
)
def test_a_fitted_plan_has_the_counts_and_keeps_its_root(labels: list[str], wanted: dict[str, int]) -> None:
    fitted = fit(labels, wanted)
    assert fitted[0] == labels[0]
    assert len(fitted) <= MAX_PARTS
    if sum(wanted.values()) < MAX_PARTS:
        for label, count in wanted.items():
            assert fitted.count(label) == max(count, int(labels[0] == label))
