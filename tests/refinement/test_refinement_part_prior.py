"""What is known of a joint by the label and the shape of its part."""

import numpy as np
import pytest

from articulation.joint import Joint, JointType
from services.refinement.joint_counts import BY_LABEL
from services.refinement.part_prior import PartPrior, Place, shape_of

DOOR = np.array([[-0.8, 0.0, 0.6], [0.8, 1.0, 0.67]])
DRAWER = np.array([[-0.4, 0.0, -0.5], [0.4, 0.6, 0.67]])
KNOB = np.array([[0.2, 0.2, 0.5], [0.3, 0.3, 0.53]])
LEFT = Joint(JointType.REVOLUTE, np.array([0.0, -1.0, 0.0]), np.array([-0.8, 0.0, 0.67]), 0.0, 1.8)


@pytest.mark.parametrize(("label", "words"), [("drawer", "prismatic +z"), ("knob", "revolute -z middle")])
def test_a_known_label_decides_whatever_the_shape(label: str, words: str) -> None:
    for bounds in (DOOR, DRAWER, KNOB):
        assert PartPrior.of(label, bounds).chances[Place.parse(words)] > 0.9


def test_the_shape_decides_where_the_label_is_unknown() -> None:
    door, drawer = (PartPrior.of("Klappe", bounds).chances for bounds in (DOOR, DRAWER))
    turning = sum(chance for place, chance in door.items() if place.type is JointType.REVOLUTE)
    assert turning > 0.7
    assert drawer[Place(JointType.PRISMATIC, "+z")] > 0.7


def test_knobs_and_buttons_differ_by_their_label() -> None:
    knob, button = (PartPrior.of(label, KNOB).chances for label in ("knob", "button"))
    assert knob[Place(JointType.REVOLUTE, "-z", "middle")] > 0.9
    assert button[Place(JointType.PRISMATIC, "-z")] > 0.9


def test_a_dial_turns_without_an_end() -> None:
    likeliest = max(chances := PartPrior.of("dial", KNOB).chances, key=chances.__getitem__)
    assert likeliest.type is JointType.CONTINUOUS


@pytest.mark.parametrize("label", [*BY_LABEL, "Klappe"])
def test_probabilities_add_up_and_none_is_negligible(label: str) -> None:
    chances = PartPrior.of(label, DOOR).chances
    assert sum(chances.values()) == pytest.approx(1, abs=0.02)
    assert Place(JointType.FIXED) in chances


def test_a_place_tells_kind_direction_and_side() -> None:
    assert str(Place.of(LEFT, DOOR)) == "revolute -y low"
    assert str(Place.of(Joint(JointType.PRISMATIC, np.array([0.6, 0.0, 0.8])), DOOR)) == "prismatic +z"
    assert str(Place.of(Joint(JointType.FIXED), DOOR)) == "fixed"


def test_words_of_a_place_are_read_back_and_made_a_joint_there() -> None:
    for words in {words for counts in BY_LABEL.values() for words in counts} | {"fixed"}:
        place = Place.parse(words)
        assert str(place) == words
        assert Place.of(place.joint(DOOR, 1.0), DOOR) == place


def test_agreement_counts_type_direction_and_line() -> None:
    left = Place.parse("revolute -y low")
    others = ("revolute -y low", "revolute +y low", "revolute +y high", "prismatic -y", "fixed")
    assert [left.agreement(Place.parse(words)) for words in others] == [3, 2, 1, 1, 0]


def test_shapes_are_told_by_size_flatness_and_the_flat_side() -> None:
    assert [shape_of(bounds) for bounds in (DOOR, DRAWER, KNOB)] == ["large sheet z", "large block", "small plate z"]
