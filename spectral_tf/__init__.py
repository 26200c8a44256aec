"""Spectral bias of neural networks, measured.

A trained network is a function: sample it, take the spectrum of the samples, and follow that
spectrum while the network trains. For a model of one's own:

* `measure`: any model or function, on a `Grid`, along a `Curve`, on `StraightPaths` between
  examples, at `Scatter`ed points, against a `LabelWave`; gives a `Measurement`, which `load` reads
  again and `compare` holds against others;
* `SpectrumCallback` in anybody's `model.fit`, `SpectrumProbe` in anybody's own loop.

The packages, from the inside out:

* `spectral_tf.spectra`: samples -> numbers (NumPy, float64, pure; needs no TensorFlow);
* `spectral_tf.tasks`, `spectral_tf.models`: what is learned, and by what;
* `spectral_tf.probes`: model -> samples;
* `spectral_tf.records`: the run folder, with its tables, figures and TensorBoard events;
* `spectral_tf.measuring`: what stands above;
* `spectral_tf.training`: many copies of a small model at once, saved and resumed exactly;
* `spectral_tf.runtime`: strategies, seeds and the flags that launchers share;
* `spectral_tf.experiments`: what several pages compose alike.
"""

import importlib
from typing import TYPE_CHECKING, Any

from spectral_tf import interrupts, program

if TYPE_CHECKING:
    from spectral_tf.measuring.callback import SpectrumCallback as SpectrumCallback
    from spectral_tf.measuring.comparison import compare as compare
    from spectral_tf.measuring.measure import measure as measure
    from spectral_tf.measuring.measurement import Measurement as Measurement
    from spectral_tf.measuring.measurement import load as load
    from spectral_tf.measuring.places import Curve as Curve
    from spectral_tf.measuring.places import Grid as Grid
    from spectral_tf.measuring.places import StraightPaths as StraightPaths
    from spectral_tf.measuring.probe import SpectrumProbe as SpectrumProbe
    from spectral_tf.measuring.scatter import Scatter as Scatter
    from spectral_tf.measuring.wave import LabelWave as LabelWave

__version__ = "0.1.0"

# They load when they are first used; none but the callback needs TensorFlow.
_MODULES = {
    "Curve": "places",
    "Grid": "places",
    "LabelWave": "wave",
    "Measurement": "measurement",
    "Scatter": "scatter",
    "SpectrumCallback": "callback",
    "SpectrumProbe": "probe",
    "StraightPaths": "places",
    "compare": "comparison",
    "load": "measurement",
    "measure": "measure",
}
__all__ = [*_MODULES, "__version__"]


if program.is_experiment():  # Which takes seconds to import what it needs.
    interrupts.tell()


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.measuring.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
