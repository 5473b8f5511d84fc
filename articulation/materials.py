"""Materials that a plan may name, with the bulk properties that simulators need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Material:
    """Bulk density [kg/m^3] and Coulomb friction coefficient [-] against a similar surface."""

    density: float
    friction: float


MATERIALS: dict[str, Material] = {
    "wood": Material(650.0, 0.5),
    "metal": Material(2700.0, 0.4),
    "plastic": Material(1050.0, 0.4),
    "glass": Material(2500.0, 0.3),
    "ceramic": Material(2300.0, 0.4),
    "rubber": Material(1200.0, 0.9),
    "fabric": Material(300.0, 0.6),
    "stone": Material(2600.0, 0.6),
}
