"""Count where the joints of training objects lie: the constants of `services.refinement.part_prior`.

python -m training.fit_joint_prior

Writes `services/refinement/joint_counts.py`: kinds of joints, and hinge lines over the first `LINE_OBJECTS`, as those
take meshes. Prints how far true joints and others drive their parts into the rest of the object, over the training
objects' first `CONTACT_OBJECTS`: what `services.refinement.judgement` takes of it.
"""

from __future__ import annotations

import pprint
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from articulation.joint import Joint
from articulation.typing import Array
from services.refinement import hypotheses, joint_counts, proxies
from services.refinement.contact import Contact
from services.refinement.judgement import BLOCKED_SHARE
from services.refinement.kinematics import Screws
from services.refinement.part_prior import ELSEWHERE, Place, shape_of
from training.draw import Split
from training.objects import generate
from training.spec import ObjectSpec

FIRST_SEED = 70_000_000
OBJECTS = 3000
LINE_OBJECTS = 600
CONTACT_OBJECTS = 60
FACES = 300

LINE_TOLERANCE = 0.02
"""A hinge line nearer than this to a usual one counts as being there [model units]."""

Counts = dict[str, Counter[str]]

app = typer.Typer(add_completion=False)


def count(specs: list[ObjectSpec]) -> tuple[Counts, Counts]:
    """Joints by label, and by the shape of their part."""
    by_label: Counts = defaultdict(Counter)
    by_shape: Counts = defaultdict(Counter)
    for spec in specs:
        for index, link in enumerate(spec.links):
            if link.joint.type.moves:
                bounds = box_bounds(spec, index)
                place = str(Place.of(link.joint, bounds))
                by_label[link.label][place] += 1
                by_shape[shape_of(bounds)][place] += 1
    return by_label, by_shape


def count_lines(specs: Sequence[ObjectSpec]) -> Counts:
    """Hinge lines of panels by label: the nearest usual one that is near enough."""
    by_label: Counts = defaultdict(Counter)
    for spec in specs:
        for link, mesh in zip(spec.links, spec.link_meshes(), strict=True):
            lines = hypotheses.usual_lines(link.joint, np.asarray(mesh.vertices)) if link.joint.type.rotates else {}
            if lines:
                apart = {name: float(np.linalg.norm(point - link.joint.origin)) for name, point in lines.items()}
                nearest = min(apart, key=apart.__getitem__)
                by_label[link.label][nearest if apart[nearest] <= LINE_TOLERANCE else ELSEWHERE] += 1
    return by_label


def box_bounds(spec: ObjectSpec, index: int) -> Array:
    """(2, 3) lowest and highest corner of a part."""
    center, half = spec.boxes[index, :3], spec.boxes[index, 3:]
    return np.stack([center - half, center + half])


def overlaps(spec: ObjectSpec, by_shape: Counts) -> tuple[list[float], list[float]]:
    """Share of each moving part's surface that its true joint, and that others of its shape, drive into the rest."""
    moving = [index for index, link in enumerate(spec.links) if link.joint.type.moves]
    packed = proxies.build(spec.link_meshes(), FACES, torch.device("cpu"))
    contact = Contact.of(packed, [link.parent for link in spec.links])
    exact = [link.joint for link in spec.links]
    true = overlap(contact, exact)
    others = []
    for index in moving:
        bounds = box_bounds(spec, index)
        for place in map(Place.parse, by_shape[shape_of(bounds)]):
            if place != Place.of(exact[index], bounds):
                other = place.joint(bounds, np.pi / 2 if place.type.rotates else 0.8 * float(np.ptp(bounds, 0).max()))
                others.append(float(overlap(contact, [*exact[:index], other, *exact[index + 1 :]])[index]))
    return [float(true[index]) for index in moving], others


def overlap(contact: Contact, joints: list[Joint]) -> Array:
    """(L,) over the whole range of each."""
    screws = Screws.of([joints], torch.device("cpu"), torch.float32)
    return np.asarray(contact.overlap(screws, torch.tensor([[joint.upper for joint in joints]]).float())[0])


def module(
    by_label: Mapping[str, Counter[str]],
    by_shape: Mapping[str, Counter[str]],
    by_line: Mapping[str, Counter[str]],
    objects: int,
) -> str:
    """The source of `services.refinement.joint_counts`."""

    def table(counts: Mapping[str, Counter[str]]) -> str:
        ordered = {key: dict(sorted(counts[key].items())) for key in sorted(counts)}
        return pprint.pformat(ordered, width=100, sort_dicts=False)

    return _MODULE.format(
        objects=objects,
        lines=min(objects, LINE_OBJECTS),
        by_label=table(by_label),
        by_shape=table(by_shape),
        by_line=table(by_line),
    )


_MODULE = '''"""How often joints occur in {objects} training objects, and hinge lines of panels in {lines} of them.

The words are those of `services.refinement.part_prior`: of its `Place`, and of its `LINES`. `training.fit_joint_prior`
writes them.
"""

# fmt: off
BY_LABEL: dict[str, dict[str, int]] = {by_label}

BY_SHAPE: dict[str, dict[str, int]] = {by_shape}

BY_LINE: dict[str, dict[str, int]] = {by_line}
# fmt: on
'''


@app.command()
def main(objects: Annotated[int, typer.Option(help="Training objects to count.")] = OBJECTS) -> None:
    """Write the counts and print the overlaps."""
    torch.set_num_threads(1)
    specs = [generate(FIRST_SEED + index, Split.TRAIN) for index in range(objects)]
    path = Path(joint_counts.__file__)
    by_label, by_shape = count(specs)
    path.write_text(module(by_label, by_shape, count_lines(specs[:LINE_OBJECTS]), objects))
    typer.echo(f"wrote {path}")
    pairs = [overlaps(spec, by_shape) for spec in specs[:CONTACT_OBJECTS]]
    for name, values in zip(("true", "other"), map(np.concatenate, zip(*pairs, strict=True)), strict=True):
        typer.echo(f"{np.mean(values > BLOCKED_SHARE):.3f} of {len(values)} {name} joints are blocked")


if __name__ == "__main__":
    app()
