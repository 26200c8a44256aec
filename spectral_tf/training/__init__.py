"""Many copies of a small model trained at once, from probe to probe, saved and resumed exactly.

The modules import TensorFlow; a name of this package loads them when it is first used.
"""

from typing import TYPE_CHECKING

from spectral_tf import lazy

if TYPE_CHECKING:
    from spectral_tf.training.adam import Adam as Adam
    from spectral_tf.training.classifier import Classifier as Classifier
    from spectral_tf.training.classifier import Sgd as Sgd
    from spectral_tf.training.ensemble import Ensemble as Ensemble
    from spectral_tf.training.ensembles import Ensembles as Ensembles
    from spectral_tf.training.gradient_descent import GradientDescent as GradientDescent
    from spectral_tf.training.loop import TrainingLoop as TrainingLoop
    from spectral_tf.training.measures import Measure as Measure
    from spectral_tf.training.measures import every as every

__getattr__, __dir__, __all__ = lazy.subpackage(
    __name__,
    {
        "Adam": "adam",
        "Classifier": "classifier",
        "Ensemble": "ensemble",
        "Ensembles": "ensembles",
        "GradientDescent": "gradient_descent",
        "Measure": "measures",
        "TrainingLoop": "loop",
        "Sgd": "classifier",
        "every": "measures",
    },
)
