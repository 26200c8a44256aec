import numpy as np
import pytest
from PIL import Image

from spectral_tf.records import figures

STEPS, FREQUENCIES = [0, 100, 200], np.array([5.0, 10.0])


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
    band = (np.array([100.0, np.inf]), np.array([90.0, np.inf]), np.array([np.inf, np.inf]))
    figure = figures.learning_time_plot(
        FREQUENCIES, {0.5: band, 0.9: (np.full(2, np.inf),) * 3}, law=(1, 2, "k^2"), title="t"
    )
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["k^2", "level 0.5"]
    figures.save_figure(figure, None)


@pytest.mark.parametrize("count", [1, 3])
def test_curves_show_all_bands(count):
    band = (np.ones(3), np.full(3, 0.5), np.full(3, np.nan))
    figure = figures.curves(STEPS, {str(i): band for i in range(count)}, ylabel="y", title="t")
    assert len(figure.axes[0].lines) == count
    assert figure.axes[0].get_yscale() == "log"


def test_function_over_target():
    line = (np.array([0.0, 0.5]), np.array([1.0, 2.0]))
    figure = figures.learned_function(line, (line[0], 2 * line[1]), title="t")
    assert figure.axes[0].lines[1].get_ydata().tolist() == [2.0, 4.0]


def test_bars_are_in_order_from_the_top():
    figure = figures.bar_chart({"a": (1, 2), "b": (3, 4)}, (5, "limit"), xlabel="x", title="t")
    widths = {p.get_y() + p.get_height() / 2: p.get_width() for p in figure.axes[0].patches}
    assert widths[1.0] == 1
    assert widths[0.0] == 3
