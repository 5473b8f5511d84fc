"""The articulated object: links, joints, frames, kinematics, metrics and file formats. Pure functions over numpy."""
