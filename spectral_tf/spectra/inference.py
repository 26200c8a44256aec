"""From numbers to claims: every interval, test and correction of this package has its home here.

The type is in `estimate`, means and what is read off them in `intervals`, correlations in
`association`, differences and many claims in `comparison`. `results/inference` shows how often each
interval holds the truth, and each test errs, by simulation.

What an interval means depends on what varies. Each function says which units were drawn at random
(the *unit of replication*), what is held fixed, and why its method was chosen; all but the plain
p-values of `sign_test` and `holm` return an `Estimate`, which carries number and kind of the units
and the name of the method with it.

* **Few runs.** A percentile bootstrap of n = 3 values covers 75 % where 95 % is said (51 % for 2,
  84 % for 5, 91 % for 10). Means over runs get Student's interval, stretched on the side of the
  skew (`mean_over_runs`).
* **Crossed samples.** What is averaged over runs *and* images varies with both (`crossed_mean`).
* **Nested samples.** Seeds and checkpoints of one setting are no settings of their own: they
  count as one (`correlation_over_settings`).
* **Clusters** of sizes that differ are fewer than they look (`mean_over_clusters`).
* **Few settings.** Fewer than `SETTINGS_FOR_INTERVAL` have no interval, but an exact p-value and
  the smallest one that so few can reach.
* **What counts** is an argument (`where`), and the number that counted is in the result; NaN never
  stands for "left out" and is refused.
"""

from spectral_tf.spectra.association import (
    SETTINGS_FOR_CORRELATION,
    SETTINGS_FOR_INTERVAL,
    correlation_over_settings,
)
from spectral_tf.spectra.comparison import (
    above_zero,
    difference_to_published,
    difference_to_published_from_stats,
    holm,
    paired_difference,
    paired_ratio,
    sign_test,
)
from spectral_tf.spectra.estimate import (
    CONFIDENCE_LEVEL,
    Estimate,
    negative,
    not_enough,
)
from spectral_tf.spectra.intervals import (
    bootstrap,
    crossed_mean,
    jackknife,
    mean_over_clusters,
    mean_over_runs,
    proportion,
)

__all__ = [
    "CONFIDENCE_LEVEL",
    "SETTINGS_FOR_CORRELATION",
    "SETTINGS_FOR_INTERVAL",
    "Estimate",
    "above_zero",
    "bootstrap",
    "correlation_over_settings",
    "crossed_mean",
    "difference_to_published",
    "difference_to_published_from_stats",
    "holm",
    "jackknife",
    "mean_over_clusters",
    "mean_over_runs",
    "negative",
    "not_enough",
    "paired_difference",
    "paired_ratio",
    "proportion",
    "sign_test",
]
