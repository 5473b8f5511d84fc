"""What the packaging process does: part meshes and a plan in, the files of the asset folder out."""

from __future__ import annotations
