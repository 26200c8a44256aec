"""Frequencies of the image plane, the zero in the middle."""

import numpy as np
from numpy.typing import NDArray


def plane_frequencies(height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(i, j) of all vectors, cycles down and to the right, [h, w] each, the zero in the middle."""
    i, j = np.meshgrid(
        np.arange(height) - height // 2, np.arange(width) - width // 2, indexing="ij"
    )
    return i, j


def rings(height: int, width: int) -> NDArray[np.int64]:
    """The ring of every vector: its frequency sqrt(i^2 + j^2), to the nearest whole one, [h, w].

    >>> rings(4, 2)
    array([[2, 2],
           [1, 1],
           [1, 0],
           [1, 1]])
    """
    return np.round(np.hypot(*plane_frequencies(height, width))).astype(np.int64)
