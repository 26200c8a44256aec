"""What a summary says, as JSON can say it."""

import math
from collections.abc import Mapping
from typing import Any

from spectral_tf.spectra import Estimate


def json_value(value: Any) -> Any:
    """Estimates as records, infinity as "never", NaN as null, names as texts, at any depth.

    >>> json_value({"times_faster": {100: math.inf}})
    {'times_faster': {'100': 'never'}}
    """
    if isinstance(value, Estimate):
        return value.record()
    if isinstance(value, Mapping):
        return {str(name): json_value(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "never"
    return value
