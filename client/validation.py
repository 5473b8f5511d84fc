"""What `spark validate` prints of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # simulators come with the extra `packaging`, not with the SDK
    from gateway.package.manipulate import Manipulation
    from gateway.package.validate import JointCheck, LinkCheck, ValidationReport


def print_validation(report: ValidationReport, output: Console) -> None:
    """Tables of joints, links and what a hand opened, then the problems, or that there is none."""
    output.print(_joints(report.joints), _links(report.links), sep="\n")
    if report.manipulations is not None:
        output.print(_manipulations(report.manipulations))
    for problem in report.problems:
        output.print(f"[red]problem:[/red] {problem}")
    if report.ok:
        by_hand = "" if report.manipulations is None else ", and a hand opens it"
        output.print(f"[green]valid[/green]: loads and moves in MuJoCo and PyBullet, opens as USD{by_hand}")


def _joints(checks: tuple[JointCheck, ...]) -> Table:
    table = Table("joint", "type", "range", "MuJoCo reach", "PyBullet reach", "deepest penetration", "drift")
    for joint in checks:
        unit = "m" if joint.type == "prismatic" else "rad"
        table.add_row(
            joint.link,
            joint.type,
            f"{joint.lower:.3g} to {joint.upper:.3g} {unit}",
            f"{joint.reach_mujoco:.0%}",
            f"{joint.reach_pybullet:.0%}",
            f"{joint.penetration:.2%}",
            f"{joint.drift:.2%}",
        )
    return table


def _links(checks: tuple[LinkCheck, ...]) -> Table:
    table = Table("link", "mass [kg]", "inertia", "centre of mass", "convex shapes")
    for link in checks:
        table.add_row(
            link.link,
            f"{link.mass:.3g}",
            "physical" if link.physical else "bad",
            "inside" if link.center_inside else "outside its hull",
            str(link.collision_pieces),
        )
    return table


def _manipulations(results: tuple[Manipulation, ...]) -> Table:
    small = [one.link for one in results if not one.applicable]
    table = Table("part", "held at", "opened", "largest force", "others moved", "by hand")
    table.caption = f"for fingers, not for a hand: {', '.join(small)}" if small else None
    for one in results:
        if one.applicable:
            verdict = "fails" if one.problems else "opens" + " while others are open" * one.needs_open
            table.add_row(
                one.link, one.held, f"{one.opened:.0%}", f"{one.force:.1f} N", f"{one.disturbed:.1%}", verdict
            )
    return table
