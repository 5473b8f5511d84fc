"""The package stage: an `Asset` from meshes and joints, checked in simulators."""
