"""The confidence benchmark: what it refines, and what it prints."""

from dataclasses import replace

import pytest
from perfect_runs import perfect_run

from gateway.plans import plan_to_json
from services.refinement import job
from spark.v1 import refinement_service_pb2 as pb
from training import bench_refine_confidence
from training.bench_refine_confidence import Beliefs, page, report
from training.draw import Split
from training.eval_case import Subject
from training.eval_run import Run
from training.scoring import Belief


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject.draw(Split.VAL, 5, 1)


@pytest.fixture(scope="module")
def run(subject: Subject) -> Run:
    return perfect_run(subject.spec, subject.camera)


@pytest.fixture
def doubtful_refiner(monkeypatch: pytest.MonkeyPatch) -> list[pb.RefineArticulationRequest]:
    """A refiner that turns every axis round and halves the confidence, and what it was asked."""
    asked = []

    def responses(request: pb.RefineArticulationRequest, *_: object):
        asked.append(request)
        refined = pb.RefineArticulationResponse()
        refined.result.plan.CopyFrom(request.plan)
        for part in refined.result.plan.parts:
            for side in "xyz":
                setattr(part.joint.axis, side, -getattr(part.joint.axis, side))
            part.joint.confidence /= 2
        yield refined

    monkeypatch.setattr(job, "responses", responses)
    return asked


def test_plan_and_refined_joints_are_both_judged(subject, run, doubtful_refiner) -> None:
    beliefs = Beliefs.of(subject, run)
    joints = [part.joint for part in run.plan("shape").parts if part.joint.type.moves]
    assert beliefs.planned == tuple(Belief(joint.confidence, True) for joint in joints)
    assert beliefs.refined == tuple(Belief(joint.confidence / 2, False) for joint in joints)


def test_the_plan_before_refinement_is_what_is_refined(subject, run, doubtful_refiner) -> None:
    plan = run.plan("shape")
    renamed = replace(plan, category="an earlier outcome")
    Beliefs.of(subject, Run({**run.files, "refine/plan.json": plan_to_json(renamed)}))
    (request,) = doubtful_refiner
    assert request.plan.category == plan.category
    assert [share > 0 for share in request.opening] == [part.joint.type.moves for part in plan.parts]


def test_the_page_ends_with_both_errors() -> None:
    sure, doubtful = Belief(0.9, True), Belief(0.2, True)
    *_, planned, refined = page(report([Beliefs((sure,), (doubtful,)), Beliefs((sure,), (sure,))])).splitlines()
    assert planned == "Expected calibration error over 2 planned joints: 0.100."
    assert refined == "Expected calibration error over 2 refined joints: 0.450."


def test_nothing_is_reported_of_nothing() -> None:
    figures = bench_refine_confidence.report([])
    assert figures["refined"]["expected_calibration_error"] is None
    assert page(figures).endswith("over 0 refined joints: none.")
