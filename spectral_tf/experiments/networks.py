"""What is said of several networks at once: the same items (paths, images) asked of all of them.

Networks differ by their seeds, so a mean over items of one network says nothing of the next one.
Means here are over networks and items at once; of a single network they are over its items, and
say so.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.spectra import Estimate, crossed_mean, mean_over_clusters

# Networks that a page trains, unless told otherwise.
SEEDS = 3


def rests_on(num_networks: int, trained: bool) -> str:
    """What the first line of a page says of the networks behind it.

    Args:
      num_networks: that were measured.
      trained: whether they were trained by the page; else there is one, that somebody saved.

    >>> rests_on(3, True)
    '3 networks of different seeds'
    """
    if num_networks > 1:
        return f"{num_networks} networks of different seeds"
    kind = "one network" if trained else "one saved network"
    return f"{kind}, which says nothing of another training of its kind"


def lost(diverged: Mapping[str, int]) -> list[str]:
    """The networks that are left out, in words.

    Args:
      diverged: {number of a training: step}.

    >>> lost({"2": 40})
    ['the network of seed 2 diverged at step 40 and is left out']
    """
    return [
        f"the network of seed {run} diverged at step {step:,} and is left out"
        for run, step in diverged.items()
    ]


def mean_over_networks(
    values: ArrayLike,
    *,
    items: str,
    clusters: ArrayLike | None = None,
    rows: str = "networks",
    tested: bool = False,
) -> Estimate:
    """Mean over networks and items, with an interval over both.

    Args:
      values: of every network on every item, finite, shape [m, n, ...].
      items: what they are: paths, images.
      clusters: of the items, [n]: those of one number vary together.
      rows: what the first axis is, if it is more than networks: settings with all their seeds.
      tested: whether a single mean gets a p-value, as for `crossed_mean`.

    Returns:
      of shape [...]: `crossed_mean` of several networks. Of one network the mean over its items
      (`mean_over_clusters`), with an interval over these alone.

    Raises:
      UserError: as these two.

    >>> mean_over_networks([[1.0, 2.0, 3.0]], items="paths").text(".1f")
    '2.0 (-0.5 to 4.5; n = 3 paths of one network)'
    """
    v = np.asarray(values, np.float64)
    if len(v) != 1:
        return crossed_mean(v, clusters=clusters, units=(rows, items), tested=tested)
    columns = np.moveaxis(v[0].reshape(v.shape[1], -1), 1, 0)
    of_one = f"{items} of one network"
    each = [mean_over_clusters(c, clusters, unit=of_one, tested=tested) for c in columns]
    return stacked(each, v.shape[2:])


def difference_over_networks(
    less: ArrayLike, more: ArrayLike, *, items: str, rows: str = "networks"
) -> Estimate:
    """The mean over some items minus that over others, with interval and p-value over both.

    v_rc = T_r +- (n / n_g) (x_rc - m_rg), T_r the difference of network r, m_rg its mean over the
    n_g items of the group of item c, n all items: the values of influence of the difference, whose
    mean over items is T_r, go to `mean_over_networks`.

    Args:
      less: of every network on the items that are taken away, finite, [m, a].
      more: of the same networks on the others, finite, [m, b].
      items: what they are, all of them independent draws.
      rows: as for `mean_over_networks`.

    Raises:
      UserError: as `mean_over_networks`.

    >>> difference_over_networks([[1.0, 3.0]], [[5.0, 6.0, 7.0]], items="paths").value
    array(4.)
    """
    groups = [np.asarray(values, np.float64) for values in (less, more)]
    means = [values.mean(axis=1, keepdims=True) for values in groups]
    num_items = sum(values.shape[1] for values in groups)
    away = [
        sign * num_items / values.shape[1] * (values - mean)
        for sign, values, mean in zip((-1, 1), groups, means, strict=True)
    ]
    influence = means[1] - means[0] + np.concatenate(away, axis=1)
    return mean_over_networks(influence, items=items, rows=rows, tested=True)


def stacked(estimates: Sequence[Estimate], shape: Sequence[int] | None = None) -> Estimate:
    """Single estimates of one kind as an array of them.

    Args:
      estimates: at least one.
      shape: of the array; default: [number of them].
    """
    wanted = (len(estimates),) if shape is None else tuple(shape)

    def together(name: str) -> NDArray:
        return np.array([getattr(e, name) for e in estimates]).reshape(wanted)

    n = together("n")
    return dataclasses.replace(
        estimates[0],
        value=together("value"),
        low=together("low"),
        high=together("high"),
        n=int(n.flat[0]) if np.all(n == n.flat[0]) else n,
        missing=next((e.missing for e in estimates if e.missing), ""),
    )
