"""Whatever operators do, a model has a stable version, and jobs get only versions that passed the checks."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.releases import state
from gateway.releases.routing import Choice, choose, share, takes_part
from gateway.releases.state import Mode, ModelRecord, Phase
from serving.errors import InvalidRequest, ReleaseConflict

NEW = ModelRecord("part_dit", stable="1")
JOBS = [f"job-{number}" for number in range(200)]
versions = st.sampled_from(["1", "2", "3", "4"])
weights = st.floats(0.01, 1)


class Operators(RuleBasedStateMachine):
    """Any sequence of deployments, checks, promotions and roll-backs."""

    def __init__(self) -> None:
        super().__init__()
        self.record = NEW
        self.checked = {"1"}

    def change(self, transition, *arguments) -> None:
        """Try a transition; one that is refused changes nothing."""
        try:
            self.record = transition(self.record, *arguments)
        except (ReleaseConflict, InvalidRequest):
            return

    @rule(version=versions, mode=st.sampled_from(Mode), weight=weights)
    def deploy(self, version: str, mode: Mode, weight: float) -> None:
        self.change(state.deploy, version, mode, weight, 0.0)

    @rule()
    def loaded(self) -> None:
        if self.record.release and self.record.release.phase is Phase.LOADING:
            self.checked.add(self.record.candidate)
        self.change(state.loaded)

    @rule()
    def failed(self) -> None:
        if self.record.release and self.record.release.phase is Phase.LOADING:
            self.checked.discard(self.record.candidate)
        self.change(state.failed, "no weights", {"check": "load"})

    @rule(weight=weights | st.just(1.0))
    def promote(self, weight: float) -> None:
        self.change(state.promote, weight)

    @rule()
    def roll_back(self) -> None:
        self.change(state.roll_back, "by hand")

    @invariant()
    def jobs_get_versions_that_are_kept_loaded_and_were_checked(self) -> None:
        for job in JOBS[:20]:
            chosen = choose(job, {"part_dit": self.record}, {"part_dit": ""}, {})
            assert chosen.versions["part_dit"] in self.record.wanted & self.checked
            assert chosen.all_stable.versions["part_dit"] == self.record.stable

    @invariant()
    def nothing_that_is_wanted_is_unloaded(self) -> None:
        assert self.record.stable
        assert not self.record.wanted & self.record.retired

    @invariant()
    def only_a_release_at_work_takes_jobs(self) -> None:
        taking = [job for job in JOBS if takes_part(self.record, job, Mode.CANARY)]
        assert not taking or (self.record.release and self.record.release.phase is Phase.SERVING)


TestOperators = Operators.TestCase
TestOperators.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def serving(weight: float, mode: Mode = Mode.CANARY) -> ModelRecord:
    return state.loaded(state.deploy(NEW, "2", mode, weight, 0.0))


@pytest.mark.parametrize("transition", [state.loaded, lambda r: state.failed(r, "", {}), lambda r: state.promote(r, 1)])
def test_what_is_not_at_release_cannot_move(transition) -> None:
    with pytest.raises(ReleaseConflict) as caught:
        transition(NEW)
    assert caught.value.metadata == {"model": "part_dit", "phase": "none"}


def test_two_releases_of_one_model_at_once_are_refused() -> None:
    with pytest.raises(ReleaseConflict, match="version 2 of part_dit is at release already"):
        state.deploy(serving(0.1), "3", Mode.CANARY, 0.1, 0.0)


def test_the_stable_version_is_no_release() -> None:
    with pytest.raises(InvalidRequest, match="version: 1 is the stable version"):
        state.deploy(NEW, "1", Mode.CANARY, 0.1, 0.0)


def test_a_promoted_version_can_go_back_at_once() -> None:
    promoted = state.promote(serving(0.1), 1)
    assert (promoted.stable, promoted.previous, promoted.wanted) == ("2", "1", {"1", "2"})
    back = state.roll_back(promoted, "by hand")
    assert (back.stable, back.previous, back.retired) == ("1", "", {"2"})
    assert back.release is not None and back.release.phase is Phase.ROLLED_BACK


def test_there_is_nothing_to_go_back_to_before_the_first_release() -> None:
    with pytest.raises(ReleaseConflict):
        state.roll_back(NEW, "by hand")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(weight=st.floats(0.05, 0.95))
def test_the_share_of_jobs_is_the_weight_and_only_grows_with_it(weight: float) -> None:
    jobs = [f"{number}" for number in range(2000)]
    less, more = serving(weight * 0.8), serving(weight)
    taken = {job for job in jobs if takes_part(more, job, Mode.CANARY)}
    assert abs(len(taken) / len(jobs) - weight) < 0.06
    assert {job for job in jobs if takes_part(less, job, Mode.CANARY)} <= taken


def test_models_move_independently() -> None:
    jobs = [f"{number}" for number in range(2000)]
    both = [job for job in jobs if share("part_dit", job) < 0.5 and share("texture", job) < 0.5]
    assert abs(len(both) / len(jobs) - 0.25) < 0.04


def test_a_job_tries_one_new_version_at_most() -> None:
    other = replace(serving(1.0), model="texture")
    chosen = choose(
        "job", {"part_dit": serving(1.0), "texture": other}, {"part_dit": "", "texture": "", "vlm": "1"}, {}
    )
    assert chosen == Choice({"part_dit": "2", "texture": "1", "vlm": "1"}, "part_dit", "1")


def test_a_job_with_pins_tries_no_new_version() -> None:
    chosen = choose("job", {"part_dit": serving(1.0)}, {"part_dit": "", "vlm": "1"}, {"vlm": "blue"})
    assert chosen == Choice({"part_dit": "1", "vlm": "blue"})


def test_a_mirrored_version_answers_nothing() -> None:
    record = serving(1.0, Mode.MIRROR)
    assert choose("job", {"part_dit": record}, {"part_dit": ""}, {}).versions == {"part_dit": "1"}
    assert takes_part(record, "job", Mode.MIRROR)


def test_a_choice_comes_back_from_the_database() -> None:
    choice = Choice({"part_dit": "2", "vlm": "1"}, "part_dit", "1")
    assert Choice.from_json(choice.to_json()) == choice
