"""Many copies of a small model trained at once, from probe to probe, saved and resumed exactly.

The modules import TensorFlow; a name of this package loads them when it is first used.
"""

from typing import TYPE_CHECKING

from spectral_tf import lazy

if TYPE_CHECKING:
    from spectral_tf.training.classifier import Classifier as Classifier
    from spectral_tf.training.classifier import CosineSgd as CosineSgd
    from spectral_tf.training.ensemble import Ensemble as Ensemble
    from spectral_tf.training.ensembles import Ensembles as Ensembles
    from spectral_tf.training.loop import TrainingLoop as TrainingLoop
    from spectral_tf.training.measures import Measure as Measure
    from spectral_tf.training.measures import every as every
    from spectral_tf.training.operations import cost as cost
    from spectral_tf.training.optimizers import SGD as SGD
    from spectral_tf.training.optimizers import Adam as Adam
    from spectral_tf.training.optimizers import AdamW as AdamW
    from spectral_tf.training.optimizers import Lion as Lion
    from spectral_tf.training.optimizers import Muon as Muon
    from spectral_tf.training.optimizers import Optimizer as Optimizer

__getattr__, __dir__, __all__ = lazy.subpackage(
    __name__,
    {
        "Adam": "optimizers",
        "AdamW": "optimizers",
        "Classifier": "classifier",
        "CosineSgd": "classifier",
        "Ensemble": "ensemble",
        "Ensembles": "ensembles",
        "Lion": "optimizers",
        "Measure": "measures",
        "Muon": "optimizers",
        "Optimizer": "optimizers",
        "SGD": "optimizers",
        "TrainingLoop": "loop",
        "cost": "operations",
        "every": "measures",
    },
)
