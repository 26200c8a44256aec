"""Nearest neighbours, which learn nothing and so have no bias: a classifier to compare with."""

from numpy.typing import ArrayLike
from sklearn.neighbors import KNeighborsClassifier


def nearest_neighbours(points: ArrayLike, labels: ArrayLike, count: int) -> KNeighborsClassifier:
    """The majority of so many neighbours among labelled points.

    Args:
      points: shape [n, d].
      labels: shape [n].
      count: of neighbours, 1 to n.
    """
    return KNeighborsClassifier(count).fit(points, labels)
