import numpy as np
import pytest
from articulations import box_mesh, textured

from articulation.asset import Asset, Body, JointDynamics
from articulation.inertia import mesh_inertial
from articulation.joint import Joint, JointType
from articulation.tree import Articulation, Link


def body(center: list[float], size: list[float], dynamics: JointDynamics | None = None) -> Body:
    box = box_mesh(np.array(center), size)
    return Body(textured(box), (box,), mesh_inertial(box, 500.0), dynamics or JointDynamics())


@pytest.fixture(scope="session")
def asset() -> Asset:
    """A cabinet with a door hinged on its right, a drawer, and a knob on the door."""
    door = Joint(JointType.REVOLUTE, np.array([0.0, 0.0, 1.0]), np.array([0.21, -0.2, 0.0]), 0.0, 1.5)
    drawer = Joint(JointType.PRISMATIC, np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.3]), 0.0, 0.25)
    knob = Joint(JointType.CONTINUOUS, np.array([1.0, 0.0, 0.0]), np.array([0.25, 0.1, 0.2]))
    tree = Articulation(
        (
            Link("body", -1, Joint(JointType.FIXED), "cabinet", "wood"),
            Link("door", 0, door, "door", "wood"),
            Link("drawer", 0, drawer, "drawer", "wood"),
            Link("knob", 1, knob, "knob", "metal"),
        )
    )
    bodies = (
        body([0, 0, 0.25], [0.4, 0.4, 0.5]),
        body([0.22, 0, 0.2], [0.02, 0.4, 0.3], JointDynamics(0.4, 0.1, 20.0, 2.0)),
        body([0.21, 0, 0.4], [0.01, 0.3, 0.1], JointDynamics(3.0, 1.0, 50.0, 0.5)),
        body([0.25, 0.1, 0.2], [0.02, 0.03, 0.03], JointDynamics(0.01, 0.01, 1.0, 6.0)),
    )
    return Asset("cabinet", tree, bodies)
