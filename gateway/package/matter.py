"""How much of a solid is matter.

A generated part is drawn as thick walls or as a solid block; a real one is sheet metal over foam and air, a hollow
door, a moulded shell. `FILL` is the fraction of the solid's volume that a material really takes up, chosen so that
typical objects weigh what shops state for them: microwave ovens 10 to 20 kg, fridges 50 to 120 kg, washing machines and
dishwashers 30 to 75 kg, home safes 10 to 60 kg, base cabinets and chests of drawers 20 to 60 kg.
"""

from __future__ import annotations

from articulation.materials import MATERIALS

FILL = {
    "wood": 0.8,
    "metal": 0.15,
    "plastic": 0.3,
    "glass": 0.4,
    "ceramic": 0.5,
    "rubber": 1.0,
    "fabric": 1.0,
    "stone": 0.8,
}


def effective_density(material: str) -> float:
    """Mass over volume of a drawn solid [kg/m^3]."""
    return MATERIALS[material].density * FILL[material]
