"""Array aliases used in signatures across the project."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""A float64 array; its shape stands in the docstring."""

IntArray = NDArray[np.int64]
ImageArray = NDArray[np.uint8]
"""(H, W, 3) sRGB bytes, row 0 on top."""

AnyArray = NDArray[Any]
