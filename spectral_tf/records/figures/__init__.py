"""The figures, drawn once and kept as PNG file and as picture for TensorBoard."""

from matplotlib.figure import Figure

from spectral_tf.records.figures.functions import AlongPath, learned_function, predictions_along
from spectral_tf.records.figures.images import bar_chart, image_rows
from spectral_tf.records.figures.label_noise import four_panels
from spectral_tf.records.figures.laws import learning_time_plot, setting_plot
from spectral_tf.records.figures.lines import (
    Line,
    Panel,
    curve_panels,
    curves,
    draw_line,
    draw_points,
    line_panels,
    lines,
)
from spectral_tf.records.figures.maps import decision_regions, grid_map, heat_maps, plane_maps
from spectral_tf.records.figures.saving import animation, save_animation, save_figure
from spectral_tf.records.figures.style import AROUND_ZERO, BLUE, ORANGE, hues, shades

__all__ = [
    "AROUND_ZERO",
    "BLUE",
    "ORANGE",
    "AlongPath",
    "Figure",
    "Line",
    "Panel",
    "animation",
    "bar_chart",
    "curve_panels",
    "curves",
    "decision_regions",
    "draw_line",
    "draw_points",
    "four_panels",
    "grid_map",
    "heat_maps",
    "hues",
    "image_rows",
    "learned_function",
    "learning_time_plot",
    "line_panels",
    "lines",
    "plane_maps",
    "predictions_along",
    "save_animation",
    "save_figure",
    "setting_plot",
    "shades",
]
