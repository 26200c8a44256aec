"""Label smoothing that waves through image space: what noise fitting asks a classifier to learn."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

Shape = tuple[int, int, int]


@dataclasses.dataclass(frozen=True, eq=False)
class SmoothingWave:
    """Smoothing s(x) = A r(x) / m and labels (1 - s) y + s / C, with a wave r of mean m.

    r(x) = 1 + sin(2 pi f (c(x) - phase)), where the coordinate c is the norm |x| (radial wave) or
    the projection <x, u> on a direction u of norm 1; or r = 1 (uniform smoothing). All in the
    normalised pixel space that the network sees, f in cycles per unit of it.

    m is one constant, the mean of r over the training images, so that s is a function of x alone.
    The published code divides by the mean over each batch: `per_batch=True`; s then is cut off at 1
    where that mean is small.

    Smoothing is applied to whatever labels there are, after mixing them (mixup, distillation): soft
    labels are smoothed like hard ones. With a noise class, s is multiplied by the weight that the
    label gives to that class; for hard labels only its images are smoothed.

    Args:
      amplitude: A, the mean smoothing, 0 or more.
      frequency: f, 0 or more.
      num_classes: C, at least 2.
      coordinate: `norm`, `direction` or `none` (uniform).
      direction: u, float32 [h, w, c] of norm 1, for the coordinate `direction`.
      phase: in the unit of the coordinate.
      mean: m, above 0; see `placed`.
      per_batch: divide by the batch's own mean instead.
      noise_class: the only class that is smoothed, or -1 for all.

    Raises:
      UserError: a number out of range, or an amplitude for which s could leave [0, 1]: above m / 2
        (above 1 for uniform smoothing).

    Source: Fridovich-Keil et al. (2022), by their code; their s is not kept in [0, 1].
    """

    amplitude: float
    frequency: float
    num_classes: int
    coordinate: Literal["norm", "direction", "none"] = "norm"
    direction: NDArray[np.float32] | None = None
    phase: float = 0.0
    mean: float = 1.0
    per_batch: bool = False
    noise_class: int = -1

    def __post_init__(self) -> None:
        numbers = (self.amplitude, self.frequency, self.phase, self.mean)
        if not np.isfinite(numbers).all() or self.frequency < 0 or self.mean <= 0:
            raise UserError(
                "label wave",
                expected="finite numbers, a frequency of 0 or more, a mean above 0",
                got=f"amplitude {self.amplitude}, frequency {self.frequency}, mean {self.mean}",
                hint="an amplitude of 0.3 and a frequency of 0.05 are a start",
            )
        most = 1.0 if self.coordinate == "none" else self.mean / 2
        if not 0 <= self.amplitude <= most * (1 + 1e-9):
            raise UserError(
                "amplitude",
                expected=f"0 to {most:.3g}, so that the smoothing stays in [0, 1]",
                got=self.amplitude,
                hint="0.3 to 0.4 shows most",
            )
        if not -1 <= self.noise_class < self.num_classes:
            raise UserError(
                "noise_class",
                expected=f"-1 (all) or a class below {self.num_classes}",
                got=self.noise_class,
                hint="leave it out for all",
            )
        if self.coordinate == "direction" and (
            self.direction is None or not abs(float(np.linalg.norm(self.direction)) - 1) <= 1e-4
        ):
            raise UserError(
                "direction", expected="an image of norm 1", got="another", hint="divide by its norm"
            )

    def coordinates(self, images: NDArray) -> NDArray[np.float64]:
        """c(x) of normalised images [n, h, w, c], shape [n]: all that a wave knows of an image."""
        flat = np.asarray(images, np.float64).reshape(len(images), -1)
        if self.coordinate == "direction" and self.direction is not None:
            return flat @ self.direction.reshape(-1).astype(np.float64)
        return np.linalg.norm(flat, axis=1)

    def raw(self, coordinates: NDArray) -> NDArray[np.float64]:
        """R in [0, 2] at coordinates [n], shape [n]."""
        if self.coordinate == "none":
            return np.ones(len(coordinates))
        return 1 + np.sin(2 * math.pi * self.frequency * (coordinates - self.phase))

    def smoothing(
        self, coordinates: NDArray, labels: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """S in [0, 1] at coordinates [n], shape [n]; a noise class needs the labels [n], too.

        With `per_batch` the coordinates are taken as those of one batch.
        """
        raw = self.raw(coordinates)
        mean = raw.mean() if self.per_batch else self.mean
        values = np.minimum(self.amplitude * raw / mean, 1.0) if mean > 0 else np.zeros(len(raw))
        if self.noise_class >= 0:
            values = values * (np.asarray(labels) == self.noise_class)
        return values

    def smooth(self, images: "tf.Tensor", labels: "tf.Tensor") -> "tf.Tensor":
        """Smoothed labels [b, C] of a batch of normalised images, in TensorFlow.

        Args:
          images: as the network sees them, after augmentation, [b, h, w, c].
          labels: weights of the classes, hard or mixed, float [b, C].
        """
        import tensorflow as tf

        flat = tf.reshape(images, (tf.shape(images)[0], -1))
        if self.coordinate == "none":
            raw = tf.ones_like(flat[:, 0])
        else:
            if self.coordinate == "direction" and self.direction is not None:
                coordinate = tf.linalg.matvec(
                    flat, tf.constant(self.direction.reshape(-1), flat.dtype)
                )
            else:
                coordinate = tf.norm(flat, axis=1)
            raw = 1 + tf.sin(2 * math.pi * self.frequency * (coordinate - self.phase))
        mean = tf.reduce_mean(raw) if self.per_batch else self.mean
        smoothing = tf.minimum(self.amplitude * tf.math.divide_no_nan(raw, mean), 1.0)
        if self.noise_class >= 0:
            smoothing *= labels[:, self.noise_class]
        smoothing = smoothing[:, tf.newaxis]
        return (1 - smoothing) * labels + smoothing / self.num_classes

    def placed(self, coordinates: NDArray) -> "SmoothingWave":
        """The same wave with phase and mean measured on the training images' coordinates [n].

        The phase becomes the mean coordinate, so that the wave is centred on the data. (The
        published code does so for norms, by that of Gaussian images, and takes 0 for directions.)
        """
        phase = 0.0 if self.coordinate == "none" else float(coordinates.mean())
        # The amplitude is checked against the measured mean.
        placed = dataclasses.replace(self, phase=phase, amplitude=0.0)
        mean = 1.0 if self.coordinate == "none" else float(placed.raw(coordinates).mean())
        return dataclasses.replace(placed, mean=mean, amplitude=self.amplitude)

    def cycles(self, coordinates: NDArray) -> float:
        """How many periods coordinates [n] span: f times 4 standard deviations."""
        if self.coordinate == "none":
            return 0.0
        return float(self.frequency * 4 * coordinates.std())


# Coordinates that a wave can run along, by the names that launchers know.
WAVES = ("radial", "fourier", "random", "power_law", "uniform")


def still_wave(
    kind: str,
    shape: Shape,
    generator: np.random.Generator,
    *,
    amplitude: float,
    num_classes: int,
    direction_parameter: float = math.nan,
    degrees: float = 45.0,
    per_batch: bool = False,
    noise_class: int = -1,
) -> tuple[SmoothingWave, float]:
    """A wave of frequency 0 along a coordinate, and where in image frequency that coordinate lies.

    Args:
      kind: one of `WAVES`.
      shape: of the images, [h, w, c].
      generator: draws the direction of a random or a power-law wave.
      amplitude, num_classes, per_batch, noise_class: as for `SmoothingWave`.
      direction_parameter: spatial frequency (fourier) or exponent (power_law).
      degrees: of a fourier direction.

    Returns:
      the wave; the true spatial frequency of a fourier direction, the exponent of a power-law one,
      NaN for others.

    Raises:
      UserError: as `SmoothingWave`, `fourier_direction`, `power_law_direction`.
    """
    towards, true_parameter = None, math.nan
    if kind == "fourier":
        towards, true_parameter = fourier_direction(shape, direction_parameter, degrees)
    elif kind == "power_law":
        towards, true_parameter = (
            power_law_direction(shape, direction_parameter, generator),
            direction_parameter,
        )
    elif kind == "random":
        towards = random_direction(shape, generator)
    coordinate = {"radial": "norm", "uniform": "none"}.get(kind, "direction")
    wave = SmoothingWave(
        *(amplitude, 0.0, num_classes),
        coordinate=coordinate,  # type: ignore[arg-type]  # One of its three words.
        direction=towards,
        per_batch=per_batch,
        noise_class=noise_class,
    )
    return wave, true_parameter


def fourier_direction(
    shape: Shape, spatial_frequency: float, degrees: float = 45.0
) -> tuple[NDArray[np.float32], float]:
    """A plane wave over the image, the same in all channels, of norm 1; and its true frequency.

    cos(2 pi (i y / h + j x / w)) - sin(...) with the whole numbers (i, j) nearest to the frequency
    in the given direction. (The published code truncates on the diagonal only, so that its 1 is a
    constant image and its 3 and 4 are the same.)

    Args:
      shape: [h, w, c].
      spatial_frequency: in cycles per image, 0 or more.
      degrees: 0 for waves along x, 90 along y.

    Returns:
      direction, float32 [h, w, c], and sqrt(i^2 + j^2).

    Raises:
      UserError: a frequency beyond half the sides.
    """
    height, width, channels = shape
    i, j = _lattice_point(spatial_frequency, degrees)
    if not spatial_frequency >= 0 or abs(i) > height // 2 or abs(j) > width // 2:
        raise UserError(
            "spatial_frequency",
            expected=f"0 or more, at most {height // 2} and {width // 2} cycles along the sides",
            got=spatial_frequency,
            hint="lower it or turn it",
        )
    y, x = np.mgrid[:height, :width]
    angle = 2 * np.pi * (i * y / height + j * x / width)
    wave = np.cos(angle) - np.sin(angle)
    return _unit(np.repeat(wave[..., np.newaxis], channels, axis=2)), math.hypot(i, j)


def orientations(spatial_frequency: float, degrees: float, count: int) -> list[float]:
    """Evenly spread orientations of plane waves of one frequency: degrees + i 180 / count.

    With 4 from 22.5 degrees on, the nearest whole numbers of the frequencies 2.24, 4.47, 7.62 and
    10.77 are (1, 2), (2, 4), (3, 7) and (4, 10) and their mirror images: all four of one length.

    Args:
      spatial_frequency: in cycles per image, finite.
      degrees: of the first.
      count: 1 or more.

    Raises:
      UserError: two of them that `fourier_direction` takes to the same whole numbers or to opposite
        ones, which are one orientation.

    >>> orientations(2.24, 0.0, 2)
    [0.0, 90.0]
    """
    turned = [degrees + i * 180 / count for i in range(count)]
    seen: dict[tuple[int, int], float] = {}
    for angle in turned:
        i, j = _lattice_point(spatial_frequency, angle)
        same = max((i, j), (-i, -j))
        if same in seen:
            raise UserError(
                "directions",
                expected=f"orientations that differ at spatial frequency {spatial_frequency:g}",
                got=f"{seen[same]:g} and {angle:g} degrees, both nearest to {same}",
                hint="ask for fewer or for a higher --spatial_frequencies, or turn --degrees",
            )
        seen[same] = angle
    return turned


def refuse_one_wave_twice(spatial_frequencies: Sequence[float], degrees: float, count: int) -> None:
    """Raises a UserError if two spatial frequencies would be waves of one direction.

    Args:
      spatial_frequencies: in cycles per image.
      degrees, count: of the orientations of each, as for `orientations`.

    >>> refuse_one_wave_twice([1.0, 3.0], 45.0, 1)
    """
    seen: dict[tuple[int, int], float] = {}
    for frequency in spatial_frequencies:
        points = [
            _lattice_point(frequency, angle) for angle in orientations(frequency, degrees, count)
        ]
        for i, j in points:
            same = max((i, j), (-i, -j))
            if seen.setdefault(same, frequency) != frequency:
                raise UserError(
                    "spatial_frequencies",
                    expected="ones that differ by whole cycles along the sides",
                    got=f"{seen[same]:g} and {frequency:g}, both nearest to {same}",
                    hint="move them apart, or turn --degrees",
                )


def _lattice_point(spatial_frequency: float, degrees: float) -> tuple[int, int]:
    """The nearest cycles down and to the right."""
    angle = math.radians(degrees)
    return round(spatial_frequency * math.sin(angle)), round(spatial_frequency * math.cos(angle))


def random_direction(shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
    """A direction that is equally likely everywhere on the unit sphere, float32 [h, w, c].

    Raises:
      UserError: images without pixels.
    """
    return _unit(generator.normal(size=shape))


def power_law_direction(
    shape: Shape, exponent: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """A direction whose Fourier magnitudes fall as rho^-exponent, with random phases, norm 1.

    rho is the spatial frequency in cycles per image; the mean of the image is zero; all channels
    are the same. Exponent 1 is that of natural images, 0 is white. (The published "f" and "1/f"
    composites have exponents of -2 and 2 and zero phases: one bright pixel in a corner.)

    Args:
      shape: [h, w, c].
      exponent: finite.
      generator: draws the phases.

    Raises:
      UserError: an exponent that is not finite; images of one pixel, which have no frequency.
    """
    if not math.isfinite(exponent):
        raise UserError("exponent", expected="a finite number", got=exponent, hint="1 is natural")
    height, width, channels = shape
    rho = np.hypot(
        *np.meshgrid(height * np.fft.fftfreq(height), width * np.fft.fftfreq(width), indexing="ij")
    )
    rho[0, 0] = 1.0
    # The transform of real noise has symmetric phases and magnitudes that are set aside.
    phases = np.fft.fft2(generator.normal(size=(height, width)))
    spectrum = rho**-exponent * phases / np.abs(phases)
    spectrum[0, 0] = 0.0
    image = np.fft.ifft2(spectrum).real
    return _unit(np.repeat(image[..., np.newaxis], channels, axis=2))


def frequency_for_cycles(cycles: float, coordinates: ArrayLike) -> float:
    """The f of so many periods across the data: cycles / (4 standard deviations of c).

    Raises:
      UserError: coordinates that do not vary.
    """
    spread = 4 * float(np.std(np.asarray(coordinates, np.float64)))
    if not spread > 0:
        raise UserError(
            "cycles", expected="images that vary along the wave", got="none", hint="see the data"
        )
    return cycles / spread


def _unit(image: NDArray) -> NDArray[np.float32]:
    norm = float(np.linalg.norm(image))
    if not norm > 0:
        raise UserError(
            "direction",
            expected="images in which it varies",
            got=f"shape {image.shape}",
            hint="take larger images or another --wave",
        )
    return (image / norm).astype(np.float32)
