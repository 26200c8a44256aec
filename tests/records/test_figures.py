import dataclasses

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from PIL import Image

from spectral_tf import spectra
from spectral_tf.records import figures

STEPS, FREQUENCIES = [0, 100, 200], np.array([5.0, 10.0])


def estimate(value, low, high, n=2):
    value, low, high = (np.asarray(numbers, float) for numbers in (value, low, high))
    return spectra.Estimate(value, low, high, n=n, unit="runs", method="by hand")


def mesh_of(figure):
    return figure.axes[0].collections[0]


def test_the_heat_map_has_fixed_colours_and_axes_and_rows_from_probe_to_probe():
    magnitudes = np.array([[0.0, 0.1], [0.5, 0.2], [2.0, 0.3]])
    figure = figures.heat_maps(STEPS, FREQUENCIES, {"": magnitudes}, last_row=1_000, title="t")
    axes, mesh = figure.axes[0], mesh_of(figure)
    assert mesh.get_clim() == (0.0, 1.0)
    np.testing.assert_array_equal(mesh.get_array().reshape(2, 2), magnitudes[:2])
    assert axes.get_ylim() == (0, 1_000)
    assert axes.get_xlabel() == "frequency [cycles per unit]"
    assert axes.get_ylabel() == "training step"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["5", "10"]
    assert "2|F[k]|/A" in figure.axes[1].get_ylabel()


def test_png_and_pixels_are_one_picture_and_brighter_means_more(tmp_path):
    magnitudes = np.array([[0.0, 0.9], [0.0, 0.9]])
    figure = figures.heat_maps([0, 10], FREQUENCIES, {"": magnitudes}, title="t")
    pixels = figures.save_figure(figure, tmp_path / "f" / "map.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "f" / "map.png")), pixels)
    assert pixels.dtype == np.uint8
    height, width, _ = pixels.shape
    row = pixels[height // 2].astype(float).sum(axis=-1)
    assert row[width // 4] < row[width // 2 + width // 8]  # Left: 0; right: 0.9.


def test_learning_times_leave_never_out():
    never = estimate([np.inf] * 3, [np.inf] * 3, [np.inf] * 3)
    seen = estimate([100, 400, np.inf], [90, 200, np.inf], [np.inf] * 3)
    k = np.array([5.0, 10.0, 20.0])
    law = spectra.fit_power_law(k, [100, 400, 1_600])
    figure = figures.learning_time_plot(k, {0.5: seen, 0.9: never}, law=law, title="t")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["4 k^2.00", "level 0.5"]
    (bars,) = axes.containers
    ends = [segment[:, 1].tolist() for segment in bars.lines[2][0].get_segments()]
    np.testing.assert_allclose(ends, [[90, 800], [200, 800]])  # Open: to twice the highest point.
    figures.save_figure(figure, None)


def test_no_line_is_drawn_through_two_points():
    k = np.array([5.0, 10.0])
    times = estimate([100, 400], [90, 300], [110, 500])
    law = spectra.fit_power_law(k, times.value)
    figure = figures.learning_time_plot(k, {0.5: times}, law=law, title="t")
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["level 0.5"]


@pytest.mark.parametrize("count", [1, 3])
def test_curves_show_all_bands(count):
    mean = estimate(np.ones(3), np.full(3, 0.5), np.full(3, 1.5))
    figure = figures.curves(STEPS, {str(i): mean for i in range(count)}, ylabel="y", title="t")
    axes = figure.axes[0]
    assert len(axes.lines) == len(axes.collections) == count
    corners = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (corners.min(), corners.max()) == (0.5, 1.5)
    assert axes.get_yscale() == "log"


def test_a_band_that_reaches_to_zero_leaves_the_picture_below_the_curves():
    mean = estimate([1.0, 2.0, 4.0], [0.0, 1e-9, 3.0], [2.0, 3.0, 5.0])
    points = figures.Line.of(STEPS, estimate([8.0] * 3, [0.5, 1.0, 2.0], [9.0] * 3), style="o")
    for figure, bottom in (
        (figures.curves(STEPS, {"a": mean}, ylabel="y", title="t"), 0.5),
        (figures.curve_panels(STEPS, {"a": {"x": mean}}, ylabel="y", title="t"), 0.5),
        (figures.lines([points], xlabel="x", ylabel="y", title="t", yscale="log"), 0.25),
    ):
        assert figure.axes[0].get_ylim()[0] == pytest.approx(bottom)
        figures.save_figure(figure, None)


def test_panels_of_curves_have_bands_and_their_reference_none():
    mean = estimate(np.ones(3), np.full(3, 0.5), np.full(3, 1.5))
    figure = figures.curve_panels(
        STEPS, {"a": {"x": mean, "y": mean}}, ylabel="y", title="t", reference=("clean", mean)
    )
    axes = figure.axes[0]
    assert len(axes.collections) == 2
    assert [line.get_label() for line in axes.lines] == ["x", "y", "clean"]
    assert axes.lines[2].get_linestyle() == "--"


def test_function_over_target():
    line = (np.array([0.0, 0.5]), np.array([1.0, 2.0]))
    figure = figures.learned_function(line, (line[0], 2 * line[1]), title="t")
    assert figure.axes[0].lines[1].get_ydata().tolist() == [2.0, 4.0]


def test_bars_are_in_order_from_the_top():
    figure = figures.bar_chart({"a": (1, 2), "b": (3, 4)}, (5, "limit"), xlabel="x", title="t")
    widths = {p.get_y() + p.get_height() / 2: p.get_width() for p in figure.axes[0].patches}
    assert widths[1.0] == 1
    assert widths[0.0] == 3


def test_panels_share_axes_and_colours():
    values = np.array([[0.0, 0.1], [0.5, 0.2], [2.0, 0.3]])
    figure = figures.heat_maps(STEPS, FREQUENCIES, {"a": values, "b": 2 * values}, title="t")
    left, right, bar = figure.axes
    assert [axes.get_title() for axes in (left, right)] == ["a", "b"]
    assert right.collections[0].get_array().reshape(2, 2).tolist() == (2 * values[:2]).tolist()
    assert left.get_ylim() == right.get_ylim() == (0, 200)
    assert "2|F[k]|/A" in bar.get_ylabel()


def test_many_columns_get_few_ticks():
    figure = figures.heat_maps([0, 1], np.arange(100), {"": np.ones((2, 100))}, title="t")
    labels = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert labels[:3] == ["0", "5", "10"]


def test_a_grid_shows_every_cell_with_its_number():
    values = np.array([[0.5, 0.6], [0.7, 1.0]])
    figure = figures.grid_map(
        [0, 4],
        [50, 100],
        {"p": values},
        xlabel="x",
        ylabel="y",
        label="l",
        title="t",
        limits=(0.5, 1),
    )
    axes = figure.axes[0]
    assert {t.get_text(): t.get_position() for t in axes.texts} == {
        "0.50": (0, 0),
        "0.60": (1, 0),
        "0.70": (0, 1),
        "1.00": (1, 1),
    }
    assert axes.get_ylim() == (-0.5, 1.5)  # Larger rows upwards.


def test_lines_have_bands_and_points_have_bars():
    line = figures.Line([1, 2], [1.0, 2.0], "band", [0.5, 1.5], [1.5, 2.5])
    points = figures.Line([1, 2], [3.0, np.inf], "bars", [2.0, 1.0], [np.inf, np.inf], "o")
    figure = figures.lines([line, points], xlabel="x", ylabel="y", title="t", colours=[0, 1])
    axes = figure.axes[0]
    assert len(axes.collections) == 2  # The band, and the bars.
    assert axes.collections[1].get_segments()[0][:, 1].tolist() == [
        2.0,
        6.0,
    ]  # An open end reaches to twice the top.
    figures.save_figure(figure, None)


def test_an_unknown_interval_has_neither_band_nor_bars():
    unknown = estimate([1.0, 2.0], [np.nan] * 2, [np.nan] * 2)
    series = [
        figures.Line.of([1, 2], unknown, "line"),
        figures.Line.of([1, 2], unknown, "points", "o"),
    ]
    axes = figures.lines(series, xlabel="x", ylabel="y", title="t").axes[0]
    (band,) = axes.collections
    assert not band.get_paths()
    assert not axes.containers[0].has_yerr


def test_line_panels_draw_lines_and_points_as_lines_does():
    series = [
        figures.Line.of([1, 2], estimate([1, 2], [0, 1], [2, 3]), "line", colour="red"),
        figures.Line.of([1, 2], estimate([1, 2], [0, 1], [2, 3]), "points", "o"),
    ]
    panel = figures.Panel(series, "x", "y")
    axes = figures.line_panels([panel], title="t").axes[0]
    assert axes.lines[0].get_color() == "red"
    assert len(axes.collections) == 2  # The band, and the bars.
    assert axes.containers[0].has_yerr


def test_a_cell_without_a_number_says_so():
    values = np.array([[0.5, np.nan]])
    names = {"xlabel": "x", "ylabel": "y", "label": "l", "title": "t"}
    figure = figures.grid_map([0], [50, 100], {"p": values}, limits=(0.5, 1), **names)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.50", "–"]


def test_sweeps_have_a_panel_each():
    points = [
        ("16", estimate(1.0, 0.5, 1.5)),
        ("32", spectra.not_enough(1, 2, "runs", 2.0)),
    ]
    figure = figures.setting_plot({"width": {"early": points}}, ylabel="y", title="t")
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["16", "32"]
    assert axes.lines[0].get_ydata().tolist() == [1.0, 2.0]
    ends = [segment[:, 1].tolist() for segment in axes.containers[0].lines[2][0].get_segments()]
    assert ends == [[0.5, 1.5], [2.0, 2.0]]


def test_regions_are_where_the_logit_is_positive(tmp_path):
    box = np.linspace(-1, 1, 40)
    logits = np.broadcast_to(box, (40, 40))  # Positive to the right.
    points, labels = np.array([[0.5, 0.0], [-0.5, 0.0]]), np.array([1, 0])
    figure = figures.decision_regions({"n": logits}, 1.0, points, labels, title="t")
    pixels = figures.save_figure(figure, None).astype(int)
    height, width, _ = pixels.shape
    left, right = pixels[height // 3, width // 3], pixels[height // 3, 3 * width // 4]
    assert left[2] > left[0]  # Class 0 is bluish,
    assert right[0] > right[2]  # class 1 reddish.


@pytest.mark.long
def test_the_moving_picture_starts_with_the_first_function_and_ends_with_the_last(tmp_path):
    z = np.linspace(0, 1, 20)
    functions = np.linspace(0, 1, 30)[:, None] * np.sin(2 * np.pi * z)
    figures.save_animation(
        tmp_path / "a.gif", (z, np.sin(2 * np.pi * z)), z, functions, range(30), title="t"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames > 10
        first = np.asarray(picture.convert("RGB")).astype(int)
        picture.seek(picture.n_frames - 1)
        last = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(first - last).max() > 50


def test_what_is_left_out_of_a_panel_is_drawn():
    panel = figures.Panel(
        [figures.Line([0, 1, 2], [1.0, np.nan, np.nan], "mean")],
        *("x", "y"),
        left_out=[(0.5, 1.5), (1.5, 2.0)],
        left_out_name="too few",
    )
    figure = figures.line_panels([panel], title="t")
    spans = [patch.get_extents() for patch in figure.axes[0].patches]
    assert len(spans) == 2
    assert figure.axes[0].get_xlim()[1] >= 2.0  # Also where no curve is.
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["mean", "too few"]


def test_maps_of_a_row_share_their_colours_and_the_first_is_large():
    one, two = np.zeros((4, 6)), np.full((4, 6), 0.5)
    figure = figures.plane_maps(
        {"error": {"mean": one, "network 0": two}, "change": {"mean": two, "network 0": one}},
        title="t",
    )
    figures.save_figure(figure, None)
    large, small = figure.axes[:2]
    assert large.images[0].get_clim() == small.images[0].get_clim() == (0.0, 0.5)
    assert large.get_position().width > 1.5 * small.get_position().width
    assert large.images[0].get_extent() == [-3.5, 2.5, 1.5, -2.5]


def test_an_open_interval_ends_in_an_arrow_and_a_closed_one_does_not():
    k = np.array([1.0, 2.0, 4.0])
    runs = np.array([[10.0, 20.0, 40.0], [11.0, 22.0, 44.0], [12.0, 24.0, 48.0]])
    closed = spectra.mean_over_runs(runs)
    law = spectra.power_law_over_runs(k, lambda of_runs: of_runs.mean(axis=0), runs)
    opened = dataclasses.replace(closed, high=np.array([*closed.high[:2], np.inf]))
    arrows = []
    for times in (closed, opened):
        (axes,) = figures.learning_time_plot(k, {0.5: times}, law=law, title="t").axes
        arrows.append(
            [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "^"]
        )
    assert arrows == [[], [[4.0]]]


def contrast_with_white(colour):
    """As WCAG 2.2 defines it: 1 is white, 21 black."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ (0.2126, 0.7152, 0.0722) + 0.05)


def test_all_colours_of_curves_are_legible_on_white_and_orders_go_from_dark_to_bright():
    for colours in (figures.shades(2), figures.shades(10), figures.hues(8)):
        assert len(set(colours)) == len(colours)
        assert min(map(contrast_with_white, colours)) > 2
    assert np.all(np.diff([contrast_with_white(colour) for colour in figures.shades(10)]) < 0)


def test_categories_that_share_a_colour_have_other_lines_and_markers():
    series = [figures.Line([0, 1], [i, i + 1], str(i), style="-o"[i % 2]) for i in range(20)]
    figure = figures.lines(series, xlabel="x", ylabel="y", title="")
    seen = {
        (to_hex(drawn.get_color()), drawn.get_linestyle(), drawn.get_marker())
        for drawn in figure.axes[0].get_lines()
        if len(drawn.get_xdata()) == 2
    }
    assert len(seen) == 20
    ordered = figures.lines(series[::2], xlabel="x", ylabel="y", title="", ordered=True)
    drawn = [to_hex(line.get_color()) for line in ordered.axes[0].get_lines()]
    assert drawn == figures.shades(10)


def test_many_names_stand_beside_the_picture_and_not_over_the_data():
    for count, outside in ((2, False), (6, True)):
        series = [figures.Line([0, 1], [i, i + 1], f"curve {i}") for i in range(count)]
        figure = figures.lines(series, xlabel="x", ylabel="y", title="")
        FigureCanvasAgg(figure).draw()
        (axes,) = figure.axes
        (legend,) = figure.legends or [axes.get_legend()]
        apart = legend.get_window_extent().x0 >= axes.get_window_extent().x1
        assert apart == outside


@pytest.mark.parametrize("nothing", [np.nan, np.inf])
def test_a_logarithmic_axis_without_a_number_is_drawn_and_says_so(nothing):
    """Learning times where nothing was learned; a panel beside it keeps its numbers."""
    empty = figures.Line(np.array([1.0, 2.0]), np.array([nothing, nothing]), "a")
    full = empty._replace(y=np.array([20.0, 300.0]))
    for line in (empty, full):
        figure = figures.lines(
            [line], xlabel="x", ylabel="y", title="t", xscale="log", yscale="log"
        )
        figures.save_figure(figure, None)
        said = [text.get_text() for text in figure.axes[0].texts]
        assert said == ["no positive number"] * (line is empty)
        assert (figure.axes[0].get_ylim()[1] > 100) == (line is full)
