"""Every experiment in a few words: what it asks, of which published figure, and how long it takes.

One home for what `spectral-tf` lists, what the documents' table of experiments says and what a
report begins with. A test holds it against the launchers that there are.
"""

from __future__ import annotations

from typing import NamedTuple


class Experiment(NamedTuple):
    """One launcher.

    Attributes:
      name: of its file in `launchers`, without `.py`.
      question: that it answers.
      published: what it reproduces, as "RAHAMAN Fig 1" or "PRACTICE Fig 1"; empty: nothing.
      minutes: of its defaults on two cores.
      results: the folder of committed results, below `results`.
    """

    name: str
    question: str
    published: str
    minutes: float
    results: str


RAHAMAN = "Rahaman et al. (2019)"
PRACTICE = "Fridovich-Keil et al. (2022)"

# {heading: its experiments}, in the order in which they are best read.
GROUPS: dict[str, tuple[Experiment, ...]] = {
    "Functions": (
        Experiment(
            "lf_first",
            "Which frequencies of a sum of sines are learned first?",
            f"{RAHAMAN} Fig 1, 2, 10",
            1.5,
            "lf_first",
        ),
        Experiment(
            "robustness",
            "Which frequencies survive when the weights are perturbed?",
            f"{RAHAMAN} Fig 3",
            2.5,
            "robustness",
        ),
        Experiment(
            "manifold",
            "Does the bias fade when the inputs lie on a winding curve?",
            f"{RAHAMAN} Fig 8",
            1.5,
            "manifold",
        ),
        Experiment(
            "manifold_grid",
            "Which label waves can be learned on which curve?",
            f"{RAHAMAN} Fig 7, 9, 22",
            2,
            "manifold_grid",
        ),
        Experiment(
            "architecture",
            "What do depth, width and weight size let in?",
            f"{RAHAMAN} Fig 14 to 18",
            2,
            "architecture",
        ),
        Experiment(
            "theory",
            "Do networks keep to the theorems, and does the tangent kernel predict their training?",
            f"{RAHAMAN} Section 2, appendices C, D",
            1.5,
            "theory",
        ),
        Experiment(
            "untrained",
            "Which frequencies does a network have before it has learned any?",
            "",
            0.5,
            "untrained",
        ),
        Experiment(
            "own_models",
            "What do SIREN, Kolmogorov-Arnold layers and other optimisers do to the bias?",
            "",
            2,
            "own_models",
        ),
        Experiment(
            "precision",
            "What do products of lower precision change in learning times, and what do they save?",
            "",
            11,
            "precision",
        ),
        Experiment(
            "lf_first_pytorch",
            "Does a plain PyTorch loop find the same as lf_first?",
            f"{RAHAMAN} Fig 1, 2",
            10,
            "lf_first_pytorch",
        ),
    ),
    "MNIST": (
        Experiment(
            "mnist_noise",
            "Which noise on the targets spoils a classifier of images?",
            f"{RAHAMAN} Fig 4, 11",
            2,
            "mnist_noise",
        ),
        Experiment(
            "kernel_projection",
            "In which eigenfunctions of a kernel does a network learn target and noise?",
            f"{RAHAMAN} Fig 5, 6, 12, 13",
            1,
            "kernel_projection",
        ),
        Experiment(
            "mnist_manifold",
            "Is noise easier to fit on a curved manifold of images than on a flat one?",
            f"{RAHAMAN} Fig 19",
            2,
            "mnist_manifold",
        ),
    ),
    "Image classifiers": (
        Experiment(
            "noise_fitting",
            "Which frequencies of label noise does an image classifier fit?",
            f"{PRACTICE} Fig 1, claims C1, C2, C11",
            20,
            "noise_fitting",
        ),
        Experiment(
            "noise_fitting_compare",
            "What do width, weight decay, mixup and distillation do to that?",
            f"{PRACTICE} claims C3, C4",
            0.1,
            "noise_fitting",
        ),
        Experiment(
            "interpolation",
            "How fast do predictions change on the way from one image to another?",
            f"{PRACTICE} second method, claim C0",
            3,
            "interpolation",
        ),
        Experiment(
            "interventions",
            "What do training time, width, data and augmentation do to that, and does it go with "
            "accuracy?",
            f"{PRACTICE} claims C0, C5 to C10",
            5,
            "interventions",
        ),
        Experiment(
            "claims",
            "Which claims hold on all data sets, by all readings?",
            f"{PRACTICE} all claims",
            0.1,
            "interventions",
        ),
        Experiment(
            "class_diversity",
            "Are the functions of diverse classes faster, at paths of one length?",
            f"{PRACTICE} claim C12",
            3,
            "class_diversity",
        ),
        Experiment(
            "class_diversity_merged",
            "And where the diversity is made, by merging classes?",
            f"{PRACTICE} claim C12",
            8,
            "class_diversity",
        ),
        Experiment(
            "fourier_sensitivity",
            "Which patterns in an image does a classifier react to?",
            "Yin et al. (2019) Fig 4",
            6,
            "fourier_sensitivity",
        ),
    ),
    "Speed and cost": (
        Experiment(
            "benchmark",
            "How fast are ensembles trained, against JAX, torch.func, PyTorch and Keras?",
            "",
            15,
            "benchmark",
        ),
        Experiment(
            "benchmark_images",
            "How fast is a classifier trained, and what do waves and probes cost it?",
            "",
            6,
            "benchmark_images",
        ),
        Experiment(
            "benchmark_augmentation",
            "How fast are images augmented, against torchvision and PIL?",
            "",
            4,
            "benchmark",
        ),
        Experiment(
            "benchmark_paths",
            "What does measuring along paths cost, against a bare forward pass?",
            "",
            5,
            "benchmark_paths",
        ),
        Experiment(
            "benchmark_measure",
            "What does measuring one's own model cost?",
            "",
            9,
            "benchmark_measure",
        ),
        Experiment(
            "benchmark_probing",
            "What do spectra cost a training, and perturbed copies a network?",
            "",
            1,
            "benchmark",
        ),
        Experiment(
            "benchmark_start",
            "How long until the first step, and how much of that is compiling?",
            "",
            5,
            "benchmark",
        ),
        Experiment(
            "benchmark_saves",
            "What does a save cost, early in a run and at its end?",
            "",
            7,
            "benchmark_saves",
        ),
        Experiment(
            "benchmark_scaling",
            "How do time and memory grow with size?",
            "",
            10,
            "benchmark_scaling",
        ),
        Experiment(
            "costs",
            "What do the papers' own studies cost, by counted operations?",
            "",
            0.5,
            "costs",
        ),
    ),
}

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for group in GROUPS.values() for experiment in group
}
