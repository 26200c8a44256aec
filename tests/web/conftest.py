"""A small run folder with all kinds of content, made by hand."""

import json
import shutil

import numpy as np
import pytest
from etils import epath
from PIL import Image

from spectral_tf.records import write_table
from spectral_tf.spectra import mean_over_runs

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
STEPS, FREQUENCIES, POSITIONS = [0, 100, 200, 300], [5, 10], np.arange(8) / 8
NASTY = "<script>alert('x')</script>"


def magnitude(step, frequency):
    """What the folder's networks have learned: 0 at first, all of k = 5 at step 300."""
    return step / 300 * (1.0 if frequency == 5 else 0.5)


@pytest.fixture(scope="session")
def driver():
    """A browser without a window; skips where there is none with its driver."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    chromedriver = shutil.which("chromedriver")
    if binary is None or chromedriver is None:
        pytest.skip("no Chromium with its driver here")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    # No page needs a network; what this machine serves is there.
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(chromedriver)
    opened = webdriver.Chrome(options=options, service=service)
    yield opened
    opened.quit()


@pytest.fixture
def folder(tmp_path):
    """A finished run of lf_first."""
    return make_folder(epath.Path(tmp_path / "runs" / "mine"))


def make_folder(path, experiment="lf_first", flags=("num_runs=3", "width=8"), name="class <3 & co"):
    (path / "figures").mkdir(parents=True)
    (path / "run.flags").write_text("".join(f"--{flag}\n" for flag in flags))
    environment = {"experiment": experiment, "spectral_tf": "0.1.0", "wall_seconds": 90.0}
    environment["data"] = {"dataset": name}
    (path / "environment.json").write_text(json.dumps(environment))
    summary = {"experiment": experiment, "headline": f"It was found that {name}.", "num_runs": 3}
    summary["learning_time_exponent"] = mean_over_runs([1.9, 2.0, 2.1]).record()
    (path / "summary.json").write_text(json.dumps(summary, default=float))
    rows = [(s, k, mean_over_runs([magnitude(s, k)] * 3)) for s in STEPS for k in FREQUENCIES]
    write_table(path / "spectra.csv", ("step", "frequency", "magnitude"), rows)
    kept = [(s, z, np.sin(z), s * z) for s in (0, 200) for z in POSITIONS]
    write_table(path / "functions.csv", ("step", "position", "target", "output"), kept)
    classes = [(name, 0.25, float("inf")), ("b", -1.5, 2.0), ("c", float("nan"), 30.0)]
    classes.append(("d", -10.0, 1e5))
    write_table(path / "classes.csv", ("name", "score", "step"), classes)
    for i, figure in enumerate(("heat_map", "errors", "heat_map_step_000100")):
        Image.new("RGB", (40, 30), (50 * i, 100, 200)).save(path / "figures" / f"{figure}.png")
    return path
