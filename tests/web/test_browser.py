"""Pages in a real browser: nothing fails, everything is there, moves and sorts; keyboard, phone.

Skipped where there is neither Chromium nor Chrome with its driver (`apt-get install chromium
chromium-driver`).
"""

import json

import numpy as np
import pytest
from etils import epath

from spectral_tf import web
from spectral_tf.records import write_table

from .conftest import FREQUENCIES, STEPS, make_folder

PHONE, DESKTOP = (375, 740), (1280, 900)


@pytest.fixture
def browser(driver):
    """Shows a file at a size and gives the driver; at the end the console must be empty."""

    def show(file, size=DESKTOP, scheme="light", scripts=True):
        emulate = driver.execute_cdp_cmd
        emulate(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE},
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        emulate("Emulation.setEmulatedMedia", {"features": features})
        emulate("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        driver.get(f"file://{file}")
        return driver

    yield show
    assert driver.get_log("browser") == []


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """{name: the page of a folder}: of one group with functions, of several without, of none."""
    top = epath.Path(tmp_path_factory.mktemp("pages"))
    plain = make_folder(top / "plain")
    groups = make_folder(top / "groups")
    rows = [
        (petals, step, k, step / 300 / (1 + petals))
        for petals in (0, 4)
        for step in STEPS
        for k in FREQUENCIES
    ]
    columns = ("manifold_petals", "step", "frequency", "magnitude")
    write_table(groups / "spectra.csv", columns, rows)
    without = make_folder(top / "without", experiment="noise_fitting")
    (without / "spectra.csv").unlink()
    folders = {"plain": plain, "groups": groups, "without": without}
    found = {name: web.write_report(folder) for name, folder in folders.items()}
    found["comparison"] = web.write_comparison([plain, groups], top / "comparison.html")
    return found


NAMES = ("plain", "groups", "without", "comparison")


@pytest.mark.parametrize(
    ("size", "scheme"),
    [(PHONE, "light"), (DESKTOP, "dark")],
    ids=["phone, light", "desktop, dark"],
)
@pytest.mark.parametrize("name", NAMES)
def test_every_image_is_there_and_nothing_is_wider_than_the_screen(
    browser, pages, name, size, scheme
):
    driver = browser(pages[name], size, scheme)
    driver.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    images = driver.execute_script(
        "return [...document.images].map(i => [i.alt, i.complete && i.naturalWidth])"
    )
    assert images
    assert all(alt and width > 0 for alt, width in images)
    widths = "return [document.documentElement.scrollWidth, innerWidth]"
    needed, there = driver.execute_script(widths)
    assert needed <= there == size[0]
    ground = driver.execute_script(
        "return getComputedStyle(document.documentElement).backgroundColor"
    )
    assert (sum(json.loads(f"[{ground[4:-1]}]")) < 200) == (scheme == "dark")


def pixels(driver, view):
    return driver.execute_script(
        "return document.querySelector(arguments[0] + ' canvas').toDataURL()", f"#{view}"
    )


def shown(driver, view):
    return driver.find_element("id", view).get_attribute("data-step")


def test_all_three_views_move_together(browser, pages):
    driver = browser(pages["plain"])
    views = ("function", "spectrum", "map")
    slider, output = (driver.find_element("id", name) for name in ("step", "at"))
    before = {view: pixels(driver, view) for view in views}
    assert [shown(driver, view) for view in views] == ["200", "300", "300"]
    assert "the last one kept until then" in driver.find_element("id", "function-title").text
    assert output.text == "Step 300: half or more of 2 of 2 frequencies: 5, 10."
    slider.send_keys("\ue011")  # Home.
    assert [shown(driver, view) for view in views] == ["0", "0", "0"]
    assert slider.get_attribute("aria-valuetext") == "step 0"
    assert output.text == "Step 0: half of no frequency yet."
    after = {view: pixels(driver, view) for view in views}
    assert all(before[view] != after[view] for view in views)
    slider.send_keys("\ue014\ue014")  # Right, twice.
    assert [shown(driver, view) for view in views] == ["200", "200", "200"]
    assert output.text == "Step 200: half or more of 1 of 2 frequencies: 5."
    # A click in the heat map, near its top.
    surface = driver.find_element("css selector", "#map .u-over")
    driver.execute_script(
        "const at = arguments[0].getBoundingClientRect();"
        "const place = {clientX: at.x + 5, clientY: at.y + 5};"
        "arguments[0].dispatchEvent(new MouseEvent('click', place))",
        surface,
    )
    assert [shown(driver, view) for view in views] == ["200", "300", "300"]


def test_the_heat_map_says_what_its_colours_are(browser, pages):
    driver = browser(pages["plain"])
    colours = driver.find_element("id", "colours")
    assert colours.size["width"] > 60
    shown = colours.value_of_css_property("background-image").replace(", ", ",")
    assert shown.startswith("linear-gradient(to right,rgb(68,1,84),")
    assert shown.endswith("rgb(253,231,37))")
    words = driver.find_element("id", "scale").text
    assert " ".join(words.split()) == "share learned: 0 1 or more"
    map_ = driver.find_element("id", "map")
    assert "scale" in map_.get_attribute("aria-labelledby").split()


def test_the_button_plays_and_pauses(browser, pages):
    driver = browser(pages["plain"])
    button = driver.find_element("id", "play")
    assert (button.text, button.get_attribute("aria-pressed")) == ("Play", "false")
    driver.set_script_timeout(60)
    # Every change is heard of, however late this machine is.
    steps = driver.execute_async_script(
        "const done = arguments[0]; const seen = [];"
        "const [map, play] = ['map', 'play'].map((name) => document.getElementById(name));"
        "new MutationObserver(() => seen.push(Number(map.dataset.step)))"
        "  .observe(map, {attributes: true, attributeFilter: ['data-step']});"
        "play.click();"
        "new MutationObserver(() => { if (play.textContent === 'Play') done(seen); })"
        "  .observe(play, {childList: true})"
    )
    assert steps == STEPS, "from the beginning to the end, then it stops"


def test_groups_can_be_chosen(browser, pages):
    driver = browser(pages["groups"])
    assert not driver.find_elements("id", "function")
    assert "2 of 2" in driver.find_element("id", "at").text
    choice = driver.find_element("id", "group")
    assert [option.text for option in choice.find_elements("tag name", "option")] == [
        "manifold petals 0",
        "manifold petals 4",
    ]
    before = pixels(driver, "map")
    choice.send_keys("manifold petals 4")
    assert driver.find_element("id", "at").text == "Step 300: half of no frequency yet."
    assert pixels(driver, "map") != before


def test_tables_sort_by_every_column(browser, pages):
    driver = browser(pages["plain"])
    table = driver.find_element("css selector", "[aria-label='Table classes'] table")

    def column(number):
        return [
            cell.text for cell in table.find_elements("css selector", f"td:nth-child({number})")
        ]

    def press(number):
        header = table.find_element("css selector", f"th:nth-child({number})")
        header.find_element("tag name", "button").send_keys("\ue007")
        return header.get_attribute("aria-sort")

    assert column(2) == ["0.25", "−1.5", "", "−10"]
    assert press(2) == "ascending"
    assert column(2) == ["−10", "−1.5", "0.25", ""]
    assert press(2) == "descending"
    assert column(2) == ["0.25", "−1.5", "−10", ""], "what is not there is last either way"
    assert press(3) == "ascending"
    assert column(3) == ["2", "30", "100,000", "never"], "as numbers, and never comes after all"
    assert press(1) == "ascending"
    assert column(1) == ["b", "c", "class <3 & co", "d"]
    assert len(table.find_elements("css selector", "[aria-sort]")) == 1


def test_without_scripts_all_but_the_slider_is_there(browser, pages):
    driver = browser(pages["plain"], scripts=False)
    text = driver.find_element("tag name", "body").text
    assert "It was found that class <3 & co." in text
    assert "A click on the name" not in text
    assert not driver.find_element("id", "training").is_displayed()
    assert driver.find_element("css selector", "[aria-label='Table classes'] table").is_displayed()
    image = driver.find_element("tag name", "img")
    assert image.is_displayed()
    assert image.size["width"] == 40
    links = driver.find_elements("css selector", "nav a")
    assert next(link.text for link in links if link.is_displayed()) == "How to read this"


@pytest.mark.long
def test_the_keyboard_reaches_everything(browser, pages):
    driver = browser(pages["plain"])
    reached = set()
    wanted = {"play", "step", "a", "button", "summary", "div", "pre"}
    for _ in range(60):
        driver.switch_to.active_element.send_keys("\ue004")  # Tab.
        element = driver.switch_to.active_element
        reached.add(element.get_attribute("id") or element.tag_name)
        assert element.value_of_css_property("outline-style") != "none", "focus is seen"
        if wanted <= reached:
            break
    assert wanted <= reached


def test_numbers_in_the_page_are_those_of_the_table(browser, pages):
    driver = browser(pages["plain"])
    driver.find_element("id", "step").send_keys("\ue011\ue014")  # Step 100.
    # The height of the first bar, in pixels of the plot, over that of the line at 1.
    share = driver.execute_script(
        "const canvas = document.querySelector('#spectrum canvas');"
        "const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);"
        "const orange = [];"
        "for (let y = 0; y < canvas.height; y += 1) for (let x = 0; x < canvas.width; x += 1) {"
        "  const i = 4 * (y * canvas.width + x);"
        "  if (pixels.data[i] === 213 && pixels.data[i + 1] === 94 && pixels.data[i + 2] === 0)"
        "    orange.push([x, y]); }"
        "return orange"
    )
    points = np.array(share)
    middle = points[:, 0].mean()
    heights = [
        np.ptp(side[:, 1])
        for side in (points[points[:, 0] < middle], points[points[:, 0] > middle])
    ]
    # 1/3 and 1/6 of all; the bars' ends are a pixel or two of antialiasing.
    assert heights[0] / heights[1] == pytest.approx(2, abs=0.15)
