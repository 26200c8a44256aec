"""What several pages compose in the same way, from all other packages; nothing but pages imports
it.

The modules import TensorFlow when a strategy is there, not before. Since a page takes seconds to
import what it needs, one of somebody's own says in one line from here on that it was interrupted.
"""

from typing import TYPE_CHECKING

from spectral_tf import interrupts, lazy

if TYPE_CHECKING:
    from spectral_tf.experiments.datasets import Dataset as Dataset
    from spectral_tf.experiments.neighbours import nearest_neighbours as nearest_neighbours
    from spectral_tf.experiments.networks import SEEDS as SEEDS
    from spectral_tf.experiments.networks import lost as lost
    from spectral_tf.experiments.networks import mean_over_networks as mean_over_networks
    from spectral_tf.experiments.networks import rests_on as rests_on
    from spectral_tf.experiments.networks import stacked as stacked
    from spectral_tf.experiments.own_targets import own_target_report as own_target_report
    from spectral_tf.experiments.page import Page as Page
    from spectral_tf.experiments.page import Picture as Picture
    from spectral_tf.experiments.page import conclude as conclude
    from spectral_tf.experiments.page import launch as launch
    from spectral_tf.experiments.page import launch_comparison as launch_comparison
    from spectral_tf.experiments.sines import sines_of_runs as sines_of_runs

interrupts.tell()

__getattr__, __dir__, __all__ = lazy.subpackage(
    __name__,
    {
        "Dataset": "datasets",
        "Page": "page",
        "Picture": "page",
        "SEEDS": "networks",
        "conclude": "page",
        "launch": "page",
        "launch_comparison": "page",
        "lost": "networks",
        "mean_over_networks": "networks",
        "nearest_neighbours": "neighbours",
        "own_target_report": "own_targets",
        "rests_on": "networks",
        "sines_of_runs": "sines",
        "stacked": "networks",
    },
)
