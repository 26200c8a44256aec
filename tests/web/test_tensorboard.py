"""TensorBoard on a run, in a real browser: what every page of it shows."""

import contextlib
import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest
from conftest import free_addresses, launch

pytestmark = pytest.mark.long

FLAGS = (
    *("--width=16", "--depth=3", "--learning_rate=0.003", "--num_runs=2", "--num_steps=1200"),
    *("--frequencies=1,4", "--num_samples=50", "--probe_every=60"),
)
RUN = "tensorboard/lf_first"
# Elements of TensorBoard lie within others that hide them from a page's own search.
DEEP = """
function deep(root, kind, found = []) {
  for (const e of root.querySelectorAll('*')) {
    if (e.matches(kind)) found.push(e);
    if (e.shadowRoot) deep(e.shadowRoot, kind, found);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory, driver):
    """Where TensorBoard shows a short run of lf_first."""
    path = tmp_path_factory.mktemp("runs") / "lf_first"
    result = launch("lf_first", *FLAGS, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    (told,) = (line for line in result.stdout.splitlines() if "tensorboard --logdir" in line)
    said = told.partition("tensorboard ")[2].split()
    (place,) = free_addresses(1)
    host, port = place.split(":")
    with subprocess.Popen(
        (sys.executable, "-m", "tensorboard.main", *said, f"--host={host}", f"--port={port}"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_for(
                lambda: server.poll() is not None or RUN in ask(f"http://{place}/data/runs"),
                lambda: "no runs are read",
            )
            assert server.poll() is None, "TensorBoard has ended"
            yield f"http://{place}"
        finally:
            server.terminate()


def ask(url):
    """What TensorBoard answers; nothing before it listens."""
    with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:
        return json.load(answer)
    return []


def wait_for(condition, otherwise, seconds=300):
    """What a condition gives as soon as it is true; else what is wrong then."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, otherwise()
        time.sleep(0.2)
    return found


@pytest.fixture
def board(driver, address):
    """Opens a dashboard; gives what finds elements of a kind in it, and a wait for its words."""
    emulate = driver.execute_cdp_cmd
    emulate("Emulation.setScriptExecutionDisabled", {"value": False})
    emulate(
        "Emulation.setDeviceMetricsOverride",
        {"width": 1400, "height": 1000, "deviceScaleFactor": 1, "mobile": False},
    )
    driver.get_log("browser")

    def find(kind):
        return driver.execute_script(f"{DEEP} return deep(document, {kind!r})")

    def words():
        script = f"{DEEP} return deep(document, '*').map(e => e.shadowRoot || e).map("
        return driver.execute_script(
            script + "e => [...e.childNodes].filter(n => n.nodeType == 3).map(n => n.data)"
            ").flat().map(s => s.trim()).filter(s => s)"
        )

    def show(dashboard, *expected):
        driver.get("about:blank")
        driver.get(f"{address}/#{dashboard}")
        wait_for(
            lambda: set(expected) <= set(words()),
            lambda: f"{dashboard} shows no {set(expected) - set(words())}",
        )
        return find

    yield show
    failed = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert failed == []


def test_time_series_have_every_curve(board):
    board("timeseries", RUN, "headline", "heat_map", "loss", "magnitude", "spectral_norm")


def test_the_slider_of_more_than_ten_heat_maps_is_dragged(board, driver, address):
    from selenium.webdriver import ActionChains

    asked = urllib.parse.urlencode({"tag": "heat_map", "run": RUN, "sample": 0})
    told = ask(f"{address}/data/plugin/images/images?{asked}")
    steps = [image["step"] for image in told]
    assert steps == sorted([100, 1000, *range(120, 1201, 120)])
    find = board("images", "heat_map", "learned_function")
    loader = next(e for e in find("tf-image-loader") if e.get_property("tag") == "heat_map")

    def shown():
        return driver.execute_script(
            f"{DEEP} const of = kind => deep(arguments[0].shadowRoot, kind);"
            "return [of('paper-slider')[0].immediateValue, of('img')[0].src]",
            loader,
        )

    wait_for(lambda: shown()[0] == len(steps) - 1, lambda: "the last image is not shown")
    last = shown()[1]
    (slider,) = driver.execute_script(
        f"{DEEP} return deep(arguments[0].shadowRoot, 'paper-slider')", loader
    )
    # From its middle, since the knob at the right end is cut off by the card.
    hand = ActionChains(driver).move_to_element(slider).click_and_hold()
    for _ in range(4):
        hand.move_by_offset(-slider.size["width"] // 16, 0)
    hand.release().perform()
    at = shown()[0]
    assert 0 < at < len(steps) // 2 - 1, "it was pressed, and not dragged"
    wait_for(lambda: shown()[1] != last, lambda: "the image stays")
    wait_for(lambda: f"step {steps[at]:,}" in loader.text, lambda: loader.text)


def test_custom_scalars_show_all_frequencies_in_one_chart(board):
    board("custom_scalars", RUN, "lf_first", "magnitude of every frequency", "Matches (2)")


def test_text_holds_flags_numbers_and_the_closing_lines(board):
    board("text", RUN, "learning_rate", "0.003", "final_loss", "result")


def test_hparams_have_settings_and_metrics_of_a_finished_run(board, address):
    board("hparams", "experiment", "lf_first", "headline/final_loss")
    asked = urllib.request.Request(
        f"{address}/data/plugin/hparams/session_groups",
        data=json.dumps({"sliceSize": 10, "allowedStatuses": ["STATUS_SUCCESS"]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    (group,) = ask(asked)["sessionGroups"]
    (session,) = group["sessions"]
    assert session["name"] == RUN
    assert session["status"] == "STATUS_SUCCESS"
    assert 0 < session["startTimeSecs"] <= session["endTimeSecs"]
    metrics = {told["name"]["tag"] for told in session["metricValues"]}
    assert {"headline/final_loss", "loss", "magnitude/k=001"} <= metrics
