"""A page in this process, and when it came to what.

    python launchers/peers/timed_page.py BEGUN FILE PAGE FLAGS...

runs PAGE with its flags and writes to FILE, in seconds since BEGUN (of `time.time`): when the
trainer was imported, and of every call of `Ensemble.train` its number of steps, when it began and
when it ended.
"""

from __future__ import annotations

import json
import pathlib
import runpy
import sys
import time


def main() -> None:
    """Runs the page with a trainer that looks at the clock."""
    begun, file, *sys.argv = float(sys.argv[1]), *sys.argv[2:]
    sys.path[0] = str(pathlib.Path(sys.argv[0]).parent)

    from spectral_tf.training.ensemble import Ensemble

    imported = time.time() - begun
    calls: list[tuple[int, float, float]] = []
    train = Ensemble.train

    def timed(self: Ensemble, num_steps: int) -> None:
        start = time.time() - begun
        train(self, num_steps)
        calls.append((num_steps, start, time.time() - begun))

    Ensemble.train = timed  # type: ignore[method-assign]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        pathlib.Path(file).write_text(json.dumps({"imported": imported, "calls": calls}))


if __name__ == "__main__":
    main()
