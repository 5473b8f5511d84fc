"""CoACD in a process of its own, which can be stopped: meshes on standard input, hulls on standard output, as npz.

`gateway.package.convex` runs it as `python -m gateway.package.coacd_process`.
"""

from __future__ import annotations

import io
import sys

import coacd
import numpy as np

from articulation.typing import Array

SETTINGS = {"threshold": 0.08, "mcts_iterations": 40, "mcts_nodes": 10, "mcts_max_depth": 2, "resolution": 800}
"""Coarser than CoACD's defaults, which take many seconds a mesh."""


def main() -> None:
    coacd.set_log_level("error")
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as data:
        hulls: list[Array] = []
        for index in range(sum(name.startswith("vertices_") for name in data.files)):
            mesh = coacd.Mesh(data[f"vertices_{index}"], data[f"faces_{index}"])
            parts = coacd.run_coacd(mesh, max_convex_hull=int(data["pieces"]), **SETTINGS)
            hulls += [np.asarray(vertices) for vertices, _ in parts]
    stream = io.BytesIO()
    np.savez(stream, **{str(index): hull for index, hull in enumerate(hulls)})
    sys.stdout.buffer.write(stream.getvalue())


if __name__ == "__main__":
    main()
