"""The words that a plan may use, and what is usual for each category: schema and prompt are both made of them."""

from __future__ import annotations

from dataclasses import dataclass

from articulation.joint import JointType

MAX_PARTS = 17

JOINT_TYPES: tuple[JointType, ...] = (
    JointType.FIXED,
    JointType.REVOLUTE,
    JointType.CONTINUOUS,
    JointType.PRISMATIC,
)

AXES: dict[str, tuple[float, float, float]] = {
    "+x": (1.0, 0.0, 0.0),
    "-x": (-1.0, 0.0, 0.0),
    "+y": (0.0, 1.0, 0.0),
    "-y": (0.0, -1.0, 0.0),
    "+z": (0.0, 0.0, 1.0),
    "-z": (0.0, 0.0, -1.0),
}
"""Signed unit vectors in model space: +x right, +y up, +z out of the front."""

OPENINGS: dict[str, str] = {
    "a door in the front, hinged on its left": "-y",
    "a door in the front, hinged on its right": "+y",
    "a flap in the front, hinged at its bottom": "+x",
    "a flap in the front, hinged at its top": "-x",
    "a lid on top, hinged at its back": "-x",
    "a drawer": "+z",
    "a button in the front": "-z",
    "a knob or dial in the front, which turns clockwise": "-z",
}
"""The sign convention of `docs/frames.md` for the usual parts: the axis of a positive motion, which opens."""

LABELS: dict[str, str] = {
    "arm": "a lever or limb that swings",
    "base": "the support of something that turns on it",
    "basket": "a wire drawer",
    "blade": "a cutting or moving edge",
    "body": "the part that stands still and carries the others",
    "button": "is pressed inwards; prismatic, its axis points into the surface",
    "control_panel": "the face that carries knobs and buttons",
    "cushion": "a soft seat or back",
    "dial": "turns on its own axis without limit",
    "display": "a screen",
    "door": "hinged on one side, or sliding",
    "drawer": "slides out of the front; prismatic along +z",
    "drum": "turns inside the body",
    "flap": "a small hinged cover",
    "foot": "what the object stands on",
    "frame": "a rigid border",
    "glass": "a transparent pane",
    "handle": "what a hand holds, where it is a part of its own",
    "hinge": "the pin of a door",
    "keypad": "a group of keys",
    "knob": "turns on its own axis",
    "lamp": "gives light",
    "leg": "carries the object",
    "lever": "is pushed down or turned",
    "lid": "hinged at the back or lifted off; opens upwards",
    "panel": "a flat cover",
    "rack": "a grid that slides out",
    "rotor": "turns without limit",
    "seat": "what one sits on",
    "shelf": "a board inside",
    "slider": "moves along a slot",
    "spout": "where liquid leaves",
    "stand": "carries the object",
    "switch": "flips about a short axis",
    "tabletop": "the board of a table",
    "tray": "a shallow drawer, or a plate that turns",
    "wheel": "rolls",
    "window": "a glazed opening",
}
"""Part label to what it means; every label is a valid link name."""


@dataclass(frozen=True)
class CategoryPrior:
    """What is usual for a category: number of parts, root included, and the labels of its moving parts."""

    parts: tuple[int, int]
    moving: tuple[str, ...]


CATEGORIES: dict[str, CategoryPrior] = {
    "bottle": CategoryPrior((2, 2), ("lid",)),
    "box": CategoryPrior((2, 10), ("lid", "flap", "drawer")),
    "bucket": CategoryPrior((2, 2), ("handle",)),
    "cart": CategoryPrior((2, 8), ("wheel", "drawer")),
    "chair": CategoryPrior((1, 8), ("seat", "lever", "wheel")),
    "clock": CategoryPrior((2, 4), ("arm", "door")),
    "coffee_machine": CategoryPrior((2, 8), ("lid", "knob", "button", "lever")),
    "dishwasher": CategoryPrior((2, 9), ("door", "drawer", "rack", "knob", "button")),
    "dispenser": CategoryPrior((2, 4), ("lid", "lever", "button")),
    "door": CategoryPrior((2, 7), ("door", "handle", "knob")),
    "fan": CategoryPrior((2, 6), ("rotor", "button")),
    "faucet": CategoryPrior((2, 4), ("lever", "spout", "knob")),
    "folding_chair": CategoryPrior((2, 4), ("seat", "leg")),
    "globe": CategoryPrior((2, 3), ("drum", "arm")),
    "kettle": CategoryPrior((2, 4), ("lid", "handle", "button")),
    "kitchen_pot": CategoryPrior((2, 3), ("lid",)),
    "lamp": CategoryPrior((2, 6), ("arm", "switch")),
    "laptop": CategoryPrior((2, 2), ("display",)),
    "lighter": CategoryPrior((2, 4), ("lid", "wheel", "button")),
    "microwave": CategoryPrior((2, 12), ("door", "knob", "button", "tray")),
    "oven": CategoryPrior((2, 14), ("door", "knob", "drawer", "rack", "button")),
    "phone": CategoryPrior((2, 16), ("button", "lid", "slider")),
    "pliers": CategoryPrior((2, 2), ("arm",)),
    "printer": CategoryPrior((2, 10), ("tray", "lid", "button")),
    "refrigerator": CategoryPrior((2, 9), ("door", "drawer", "lid")),
    "safe": CategoryPrior((2, 16), ("door", "handle", "knob", "dial", "lever", "button")),
    "scissors": CategoryPrior((2, 2), ("blade",)),
    "stapler": CategoryPrior((2, 3), ("lid",)),
    "storage_furniture": CategoryPrior((2, 17), ("door", "drawer")),
    "suitcase": CategoryPrior((2, 8), ("lid", "handle", "wheel")),
    "switch": CategoryPrior((2, 5), ("switch", "slider", "knob")),
    "table": CategoryPrior((1, 13), ("drawer", "door", "lever")),
    "toaster": CategoryPrior((2, 6), ("slider", "lever", "knob", "button")),
    "toilet": CategoryPrior((2, 6), ("lid", "seat", "lever", "button")),
    "trash_can": CategoryPrior((2, 3), ("lid", "door", "drawer")),
    "usb_stick": CategoryPrior((2, 2), ("lid", "slider")),
    "washing_machine": CategoryPrior((2, 14), ("door", "drawer", "knob", "button", "lid")),
    "window": CategoryPrior((2, 5), ("window",)),
}
