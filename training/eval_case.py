"""One object of an evaluation: how it is drawn, and what is kept of its reconstruction.

A folder of cases holds `NAME-FINGERPRINT.zip`, the run's files, and `NAME.json`, what was measured. An evaluation that
was broken off goes on from there; a case without its JSON is measured again without the service.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from articulation.camera import Camera
from articulation.metrics import ShapeScores
from articulation.typing import ImageArray
from training.draw import Split
from training.eval_measure import Measures
from training.eval_run import Run
from training.objects import CATEGORIES, generate
from training.preview import photograph, photograph_view
from training.scoring import Scores
from training.spec import ObjectSpec
from training.whole_file import written_whole

SEED_STRIDE = 1_000_000
"""Objects of one evaluation seed lie this far from the next one's."""
IMAGE_SIZE = 384
"""Side of the photographs [pixel]."""


@dataclass(frozen=True, eq=False)
class Subject:
    """An object and how it is photographed: a function of split, seed and index; the categories come in turn."""

    split: Split
    seed: int
    index: int
    spec: ObjectSpec
    camera: Camera

    @classmethod
    def draw(cls, split: Split, seed: int, index: int) -> Subject:
        number = seed * SEED_STRIDE + index
        spec = generate(number, split, CATEGORIES[index % len(CATEGORIES)])
        return cls(split, seed, index, spec, photograph_view(spec, split, number))

    @property
    def name(self) -> str:
        return f"{self.split.value}-{self.seed}-{self.index:04d}"

    def photograph(self) -> ImageArray:
        """(IMAGE_SIZE, IMAGE_SIZE, 3) what the service sees."""
        return photograph(self.spec, self.split, IMAGE_SIZE, self.seed * SEED_STRIDE + self.index)

    def fingerprint(self) -> str:
        """Tells whether a stored case is of this very object and view."""
        solids = [np.ascontiguousarray(getattr(self.spec.primitives, x.name)) for x in fields(self.spec.primitives)]
        whole = b"".join(array.tobytes() for array in (*solids, self.camera.to_array()))
        return hashlib.sha256(whole + self.spec.style.encode()).hexdigest()


@dataclass(frozen=True)
class Case:
    """What became of one object.

    Attributes:
        name: `Subject.name`.
        split: of the object.
        category: of the object.
        style: layout choices in words.
        fingerprint: `Subject.fingerprint`.
        mean_shape: what the mean shape of the category scores.
        error: code, reason and message where the service refused or failed.
        models: name, version and digest of the models that worked.
        measures: None after an error.
        ablations: by name; None where the ablated stage made nothing.
    """

    name: str
    split: Split
    category: str
    style: str
    fingerprint: str
    mean_shape: ShapeScores
    error: str = ""
    models: tuple[str, ...] = ()
    measures: Measures | None = None
    ablations: dict[str, Scores | None] = field(default_factory=dict)

    def line(self) -> str:
        """The outcome in a few words."""
        if self.measures is None:
            return self.error
        scores = self.measures.complete
        shape = f"chamfer {scores.shape.chamfer:.3f}" if scores.shape else "plan"
        right = sum(joint.success for joint in scores.joints)
        seconds = sum(self.measures.seconds.values())
        return f"{shape}, {right} of {len(scores.joints)} joints right, {seconds:.0f} s"


_CASES = TypeAdapter(Case)


class CaseFolder:
    """The stored cases of an evaluation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def case(self, subject: Subject) -> Case | None:
        """What is known of this very object."""
        path = self._folder / f"{subject.name}.json"
        if not path.exists():
            return None
        case = _CASES.validate_json(path.read_bytes())
        return case if case.fingerprint == subject.fingerprint() else None

    def run(self, subject: Subject) -> Run | None:
        """The files of its run."""
        path = self._zip(subject)
        return Run.load(path) if path.exists() else None

    def save(self, case: Case) -> None:
        """Write the case, whole or not at all."""
        with written_whole(self._folder / f"{case.name}.json") as part:
            part.write_bytes(_CASES.dump_json(case, indent=1))

    def save_run(self, subject: Subject, run: Run) -> None:
        """Write the run's files, whole or not at all."""
        run.save(self._zip(subject))

    def _zip(self, subject: Subject) -> Path:
        return self._folder / run_file(subject.name, subject.fingerprint())


def run_file(name: str, fingerprint: str) -> str:
    """The zip of a subject's run."""
    return f"{name}-{fingerprint[:8]}.zip"
