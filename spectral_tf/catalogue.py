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
      shows: what the paper shows.
      reading: how to read the figures and tables.
      misleads: what misleads in them.
      main_figure: name of the figure that is shown first; empty: the first there is.
      main_table: name of the table that is shown first; empty: the first there is.
    """

    name: str
    question: str
    published: str
    minutes: float
    results: str
    shows: str = ""
    reading: str = ""
    misleads: str = ""
    main_figure: str = ""
    main_table: str = ""


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
            shows=(
                "Lower frequencies are learned first, whether all amplitudes are equal or grow "
                "with the frequency: in the mean of 20 runs half of k = 5 is there after about "
                "400 steps and half of k = 50 after 22,000. In the published figure that time "
                "grows about as k^1.7."
            ),
            reading=(
                "Each column of the heat map is one frequency, each row a training step, and the "
                "colour is the share 2|F[k]|/A of that frequency's amplitude that the networks "
                "have learned. Columns that fill up later the further right they stand are the "
                "bias. learning_times.csv has the step at which the mean share passes a level; "
                "the exponent is the slope of its logarithm over that of the frequency."
            ),
            misleads=(
                "The mean of several runs is shown, single runs scatter about it. A share above "
                "1 is an overshoot and no error of the transform. Spikes of Adam's loss late in "
                "training lower high frequencies for a while. The exponent rests on the "
                "frequencies that have reached the level; how many is told beside it. Another "
                "learning rate, depth or sampling moves all times."
            ),
            main_figure="heat_map",
            main_table="learning_times",
        ),
        Experiment(
            "robustness",
            "Which frequencies survive when the weights are perturbed?",
            f"{RAHAMAN} Fig 3",
            2.5,
            "robustness",
            shows=(
                "When all parameters of a trained network are moved along random directions, "
                "high frequencies are lost first; k = 5 stays whole up to norm 5, and the norm "
                "that leaves half of a frequency falls about as 1/k."
            ),
            reading=(
                "Rows of the heat map are norms of the perturbation, columns frequencies, the "
                "colour what is left of each frequency relative to the trained network. "
                "half_attenuation_norms.csv has the norm at which half is left."
            ),
            misleads=(
                "Two means are given. The mean of the magnitudes (the published code's) counts "
                "the spectrum of the perturbation itself, so that low frequencies seem to grow "
                "and high ones level off above 0; in the magnitude of the mean function that "
                "part averages out. Networks that were hardly trained keep everything: compare "
                "only networks trained alike."
            ),
            main_figure="heat_map",
            main_table="half_attenuation_norms",
        ),
        Experiment(
            "manifold",
            "Does the bias fade when the inputs lie on a winding curve?",
            f"{RAHAMAN} Fig 8",
            1.5,
            "manifold",
            shows=(
                "The bias fades as the curve on which the inputs lie winds more: with more "
                "petals high frequencies are learned sooner and the loss at equal step is lower."
            ),
            reading=(
                "One heat map for each number of petals L; L = 0 is the circle. Frequencies are "
                "counted along the curve, in cycles per unit of its parameter. losses.csv "
                "compares the curves at equal steps; geometry.csv tells how fast each curve "
                "moves."
            ),
            misleads=(
                "A curve that moves faster turns a slow function of the plane into a fast one "
                "along it: part of the effect is this stretch, which geometry.csv and "
                "occupied_bandwidth.csv put into numbers. With few runs the intervals of "
                "neighbouring curves overlap."
            ),
            main_figure="heat_maps",
            main_table="learning_times",
        ),
        Experiment(
            "manifold_grid",
            "Which label waves can be learned on which curve?",
            f"{RAHAMAN} Fig 7, 9, 22",
            2,
            "manifold_grid",
            shows=(
                "Label waves of higher frequency are harder to fit, and curves with more petals "
                "make them easier; on the circle high frequencies stay near chance."
            ),
            reading=(
                "Each cell of the grid is one network: its training accuracy for a wave of k "
                "cycles (columns) on a curve with L petals (rows), a mean over its last probes. "
                "Compare it with chance, the better constant prediction. Two networks that agree "
                "on the curve may differ off it (decision_regions)."
            ),
            misleads=(
                "A cell is a single network and has no interval. The labels are a sampled square "
                "wave, whose overtones fold down to low frequencies where 3k comes near the "
                "number of samples, which makes some high k easier than their neighbours. Chance "
                "is not one half where few samples make a period."
            ),
            main_figure="accuracy",
            main_table="accuracy",
        ),
        Experiment(
            "architecture",
            "What do depth, width and weight size let in?",
            f"{RAHAMAN} Fig 14 to 18",
            2,
            "architecture",
            shows=(
                "Depth helps much and width little to let higher frequencies in; a larger bound "
                "on the weights lets higher frequencies in; low frequencies come first "
                "everywhere."
            ),
            reading=(
                "The target is a single peak, whose spectrum is flat. The highest frequency such "
                "that it and all below have half of the target's magnitude stands in "
                "architecture.csv, early in training and at its end; the heat maps show the "
                "whole way."
            ),
            misleads=(
                "At the end much is learned by all settings, so that the early column separates "
                "them best. Both columns are single steps, and deep networks lose high "
                "frequencies for a while in spikes of Adam. Sweeps of activations and Fourier "
                "features are not in the paper."
            ),
            main_figure="summary",
            main_table="architecture",
        ),
        Experiment(
            "theory",
            "Do networks keep to the theorems, and does the tangent kernel predict their training?",
            f"{RAHAMAN} Sections 2 and 3, appendices C, D",
            1.5,
            "theory",
            shows=(
                "Theorems and bounds: the Fourier transform of a ReLU network decays as k^-2 in "
                "one dimension (faster along generic directions in more), and its magnitude is "
                "bounded through the Lipschitz constant, which is at most the product of the "
                "spectral norms. The spectrum of its gradient decays one power slower, so that "
                "gradient descent changes the residual at frequency k, and learns a single sine "
                "of it, at a speed that is O(1/k)."
            ),
            reading=(
                "Each figure draws what is proved or predicted over what was measured. "
                "tangent_times.csv holds the learning time that the tangent kernel of the "
                "untrained network predicts beside the measured one; a ratio of 1 is a right "
                "prediction. residual_rates.csv tells where a step of descent leaves the first "
                "order: the frequency at which it moves kinks by a part of a period."
            ),
            misleads=(
                "A bound that holds is no proof that it is tight: of the speed at which a sine is "
                "learned, the part that its target makes falls as k^-2, and only what the "
                "untrained network unlearns of itself as k^-1. On a line the rates of any "
                "smooth kernel fall about as k^-2, so that this exponent is no fingerprint of "
                "networks. Predictions of the untrained kernel fail later in training, when the "
                "kernel has moved."
            ),
            main_figure="kernels",
            main_table="tangent_times",
        ),
        Experiment(
            "untrained",
            "Which frequencies does a network have before it has learned any?",
            "",
            0.5,
            "untrained",
            shows="No figure of either paper: a demonstration of where a network begins.",
            reading=(
                "The mean frequency of the function of an untrained network on a circle, by "
                "power, in cycles per turn, against its depth; one panel for each scale of the "
                "weights, one line for each activation. Intervals are over networks."
            ),
            misleads=(
                "Only weights are scaled, biases are not. Where much of the power lies near the "
                "Nyquist frequency the spectrum is folded and the mean frequency is a lower "
                "bound; the summary tells the largest such share."
            ),
            main_figure="mean_frequency",
            main_table="mean_frequencies",
        ),
        Experiment(
            "own_models",
            "What do SIREN, Kolmogorov-Arnold layers and other optimisers do to the bias?",
            "",
            2,
            "own_models",
            shows=(
                "No figure of either paper: other networks (SIREN, Kolmogorov-Arnold layers) and "
                "other optimisers than the papers'."
            ),
            reading=(
                "learning_times shows for every network, optimiser and learning rate when half "
                "of each frequency is learned; heat maps show the whole way; laws.csv fits a "
                "power of the frequency to the learning times."
            ),
            misleads=(
                "What holds at one learning rate alone is said of no network and of no "
                "optimiser. Networks differ in their number of parameters, too. Exponents rest "
                "on those frequencies that are learned at all, at few runs. An optimiser is "
                "given its own range of rates, which cannot be matched exactly."
            ),
            main_figure="learning_times",
            main_table="laws",
        ),
        Experiment(
            "precision",
            "What do products of lower precision change in learning times, and what do they save?",
            "",
            11,
            "precision",
            shows="No figure of either paper.",
            reading=(
                "Learning times with products of lower precision over those with float32, run by "
                "run: 1 is no change. The control is float32 summed in another order, so that "
                "only last bits differ; what that moves by itself is no effect of precision."
            ),
            misleads=(
                "An interval that contains 1 does not show that precision does nothing: with few "
                "runs a tenth cannot be seen, and the control's interval tells how little can. "
                "Speeds are those of one processor and depend on whether it multiplies bfloat16 "
                "numbers itself."
            ),
            main_figure="learning_time_ratios",
            main_table="learning_time_ratios",
        ),
        Experiment(
            "lf_first_pytorch",
            "Does a plain PyTorch loop find the same as lf_first?",
            f"{RAHAMAN} Fig 1",
            10,
            "lf_first_pytorch",
            shows=(
                "As for lf_first: lower frequencies are learned first. Here an independent "
                "program, PyTorch's own layers, initialisation, optimiser and loop, repeats it."
            ),
            reading=(
                "Compare learning times, exponent and magnitudes with those of a run of lf_first "
                "at the same steps."
            ),
            misleads=(
                "Few runs lag or lead by chance, all frequencies together, since they share "
                "phases and weights of a run: differences of several neighbouring frequencies "
                "are not so many pieces of evidence."
            ),
            main_table="learning_times",
        ),
    ),
    "MNIST": (
        Experiment(
            "mnist_noise",
            "Which noise on the targets spoils a classifier of images?",
            f"{RAHAMAN} Fig 4, 11",
            2,
            "mnist_noise",
            shows=(
                "Noise of low frequency on the training targets goes straight into the "
                "validation loss; noise of high frequency leaves a dip first, deeper and later "
                "the higher its frequency."
            ),
            reading=(
                "Validation losses by step, one curve for each frequency and amplitude of the "
                "noise; the clean target is what is validated against. validation.csv has the "
                "lowest loss, its step, the end, and what the end would be if the noise were "
                "learned as a function; components.csv how much of each noise linear functions of "
                "the leading principal components can carry."
            ),
            misleads=(
                "The frequency is along the norm of the image, whose spread is small, or along a "
                "direction: cycles_across_data tells how many periods the data see, and below "
                "about one the noise is nearly a constant or linear. Waves of other coordinates "
                "are alike at equal cycles across the data, and are then of other frequencies per "
                "unit of the image. With one run for each curve there are no intervals "
                "over runs. Fast noise is memorised and not learned as a function, so that the "
                "end may lie above the closed form."
            ),
            main_figure="validation",
            main_table="validation",
        ),
        Experiment(
            "kernel_projection",
            "In which eigenfunctions of a kernel does a network learn target and noise?",
            f"{RAHAMAN} Fig 5, 6, 12, 13",
            1,
            "kernel_projection",
            shows=(
                "The validation loss of a network trained on noised targets dips, then rises; at "
                "the dip its late coefficients in the eigenfunctions of a kernel follow the "
                "clean target, and only later the noise."
            ),
            reading=(
                "Coefficients by bins of eigenfunctions (smooth ones on the left) of the network "
                "at several steps, between those of the clean and of the noised target. "
                "losses.csv has training and validation losses of every step."
            ),
            misleads=(
                "Where eigenvalues are nearly equal single eigenfunctions are arbitrary: only "
                "averages over many mean something. Validation uses the training images with "
                "clean targets, so that it tells fitted noise and nothing of other images."
            ),
            main_figure="coefficients_high_frequency",
            main_table="losses",
        ),
        Experiment(
            "mnist_manifold",
            "Is noise easier to fit on a curved manifold of images than on a flat one?",
            f"{RAHAMAN} Fig 19",
            2,
            "mnist_manifold",
            shows="Noise on a curved manifold of images is easier to fit than noise on a flat one.",
            reading=(
                "Training losses on four clouds of points that carry the same white noise: "
                "reconstructions of images by a denoising or variational autoencoder (curved), the "
                "paper's flat cloud, and flat clouds of the same scale and of the same covariance. "
                "The earlier half of the noise is fitted, the easier."
            ),
            misleads=(
                "The paper's flat cloud is smaller than the images, which alone slows training: "
                "the comparison that isolates curvature is that at equal scale. Points of the "
                "flat clouds keep larger distances to their nearest neighbours, which may make "
                "them easier again."
            ),
            main_figure="losses",
            main_table="scale",
        ),
    ),
    "Image classifiers": (
        Experiment(
            "noise_fitting",
            "Which frequencies of label noise does an image classifier fit?",
            f"{PRACTICE} Fig 1, claims C1, C2, C11",
            20,
            "noise_fitting",
            shows=(
                "Waves of low frequency on the labels are fitted first and best, measured by the "
                "lowest noise fitting NF = CE(clean) - CE(noisy) on held-out images."
            ),
            reading=(
                "The regression slope on held-out images tells how much of a wave the classifier "
                "has fitted: 0 ignores it, 1 fits it fully. What counts is the slope above its "
                "null, that of networks of the same seeds that never saw the wave. waves.csv has "
                "it for every wave at the end, curves.csv after every epoch."
            ),
            misleads=(
                "The null is not 0: images that are hard for other reasons lie on a wave by "
                "chance. Part of a slow wave can be told from the class alone "
                "(correlation_ratio). NF mixes accuracy and confidence with the wave; the slope "
                "does not. Waves of a run share their seeds, so that what a seed does to all of "
                "them is in no interval. A wave is called learned only after Holm's correction "
                "over all waves of the run."
            ),
            main_figure="frequencies",
            main_table="waves",
        ),
        Experiment(
            "noise_fitting_compare",
            "What do width, weight decay, mixup and distillation do to the fitting of label noise?",
            f"{PRACTICE} claims C3, C4",
            0.1,
            "noise_fitting",
            shows=(
                "Larger networks fit label noise of higher frequency more closely; regularised "
                "ones (mixup, weight decay, augmentation, distillation) less closely."
            ),
            reading=(
                "Differences of a case to the baseline on the same seeds and images, of the "
                "slope above its null. A case differs from the baseline in the one thing that is "
                "named. Above 0 the case fits the wave more closely."
            ),
            misleads=(
                "Claims are read at the two fastest waves that one of both runs has learned, so "
                "that which waves these are depends on the runs. With three seeds a sign test "
                "cannot go below p = 0.25. Of distillation there is one teacher, and others are "
                "in no interval."
            ),
            main_figure="comparison",
            main_table="comparison",
        ),
        Experiment(
            "interpolation",
            "How fast do predictions change on the way from one image to another?",
            f"{PRACTICE} second method, claim C0",
            3,
            "interpolation",
            shows=(
                "Spectra along paths between images of different classes lie above those along "
                "paths within a class."
            ),
            reading=(
                "Predictions along straight paths between held-out images, as spectra and by "
                "several measures, within and between classes, on all paths and on the common "
                "ones, whose two ends every network classifies correctly. claims.csv has the "
                "same claim by every reading. Paths by Fourier amplitudes or phases begin at an "
                "image and end on none: there a claim rests on the first image's label."
            ),
            misleads=(
                "The DFT takes a path for periodic: the jump between its ends alone puts about "
                "0.30 of the magnitudes above a tenth of the highest frequency, however sharp "
                "the change of class is. Shares depend on sampling and on confidence; the "
                "centroid at matched confidence does not, and is about how fast that varies "
                "which varies. A wrongly classified endpoint puts a change of class into a path "
                "within a class."
            ),
            main_figure="spectra",
            main_table="claims",
        ),
        Experiment(
            "interventions",
            "What do training time, width, data and augmentation do to the frequencies of a "
            "classifier, and does it go with accuracy?",
            f"{PRACTICE} claims C0, C5 to C10",
            5,
            "interventions",
            shows=(
                "Better classifiers (trained longer, wider, on more or augmented images, "
                "distilled) have functions of lower frequency within classes and of higher "
                "frequency between them."
            ),
            reading=(
                "Each point is a setting: its accuracy against a measure along paths within or "
                "between classes, all classifiers on the same paths. Correlations are over "
                "settings; claims.csv has every claim by every reading, of which two were named "
                "before looking. With --stop_at_loss all are as they were at one training loss."
            ),
            misleads=(
                "Read the two deciding readings first: the others disagree with each other. More "
                "accurate networks are also more confident, and confidence raises shares of high "
                "frequencies by itself; wrong ends raise the DFT share within classes. Seeds of "
                "one setting are no independent settings. Networks are compared only on paths "
                "that the compared ones know."
            ),
            main_figure="all",
            main_table="claims",
        ),
        Experiment(
            "claims",
            "Which claims hold on all data sets, by all readings?",
            f"{PRACTICE} all claims",
            0.1,
            "interventions",
            shows="The claims of the paper by number; what each says stands in the table.",
            reading=(
                "One verdict for each claim and data set, by rules fixed before looking: it "
                "holds, is contradicted, is undecided, or is mixed where data sets or deciding "
                "readings disagree. verdicts.csv gives the reason."
            ),
            misleads=(
                "Undecided is not the same as wrong: the intervals or Holm's correction over all "
                "claims of a run leave both signs open. The data sets are small ones, and what "
                "holds on them is said of them."
            ),
            main_table="verdicts",
        ),
        Experiment(
            "class_diversity",
            "Are the functions of diverse classes faster, at paths of one length?",
            f"{PRACTICE} claim C12",
            3,
            "class_diversity",
            shows="On ImageNet, classes that are more diverse have functions of higher frequency.",
            reading=(
                "Each point is a class: how diverse its images are against how fast predictions "
                "change along paths within it. correlations.csv has Spearman's correlation by "
                "every reading, also the partial correlation given the length of the paths (those "
                "with *length held fixed*)."
            ),
            misleads=(
                "Paths within diverse classes are longer, and a centroid per distance is lower "
                "on longer paths whatever a network does: look at the partial correlations "
                "given the length. Ten classes are few, and one saved network is one network."
            ),
            main_figure="dft_share",
            main_table="claims",
        ),
        Experiment(
            "class_diversity_merged",
            "Are functions faster where the diversity of classes is made, by merging them?",
            f"{PRACTICE} claim C12",
            8,
            "class_diversity",
            shows=(
                "Super-classes made by merging more classes should have faster functions, if "
                "diversity is what makes them fast."
            ),
            reading=(
                "Each point is a way to merge classes: how far apart the merged classes lie "
                "against how fast predictions change along the same paths. groupings.csv has "
                "every grouping, differences.csv what merging changes path by path."
            ),
            misleads=(
                "Merging random classes changes three things: how diverse a super-class is, how "
                "many are left, and how far apart images of a class lie. Read the groupings at a "
                "fixed number of classes left, on paths within the original classes."
            ),
            main_figure="centroid",
            main_table="claims",
        ),
        Experiment(
            "elastic_bands",
            "Is a class one connected region of image space, and how straight are the ways in it?",
            f"{RAHAMAN} Fig 20, 21",
            2,
            "elastic_bands",
            shows=(
                "Between any two images that a network takes for one class, adversarial ones "
                "among them, an elastic band finds a path along which it takes all images for "
                "that class. The path is (3.0 ± 0.3) % longer than the straight line, on CIFAR-10."
            ),
            reading=(
                "Each pair of images is joined three times: by the straight line, by the band, and "
                "by a path bent like it, but anywhere. The profiles show how "
                "probable the class is along the way; measures.csv has the share of pairs along "
                "which it never changes, lengths, losses, and how fast the predictions vary."
            ),
            misleads=(
                "A band that changes class does not show that no path exists: it is what so many "
                "steps of descent found. A path that keeps the class does so at its samples; how "
                "many changes half of them would have missed stands in the summary. The DFT "
                "high-frequency fraction sees a jump where the two ends are not equally probable."
            ),
            main_figure="profiles",
            main_table="measures",
        ),
        Experiment(
            "fourier_sensitivity",
            "Which patterns in an image does a classifier react to?",
            "Yin et al. (2019) Fig 4",
            6,
            "fourier_sensitivity",
            shows=(
                "In Yin et al. (2019) plainly trained networks are sensitive to patterns of "
                "nearly all but the lowest image frequencies, and augmentation moves where."
            ),
            reading=(
                "Each pixel of the plane is a pattern of one image frequency of equal norm added "
                "to held-out images; the colour is the error, or how far the probabilities move. "
                "rings.csv averages over patterns of about one frequency."
            ),
            misleads=(
                "These are frequencies across an image, not frequencies of the function along a "
                "path. Maps of single networks differ from each other: only what intervals over "
                "networks leave is common. Strides of convolutions fold some frequencies."
            ),
            main_figure="plane",
            main_table="rings",
        ),
    ),
    "Speed and cost": (
        Experiment(
            "benchmark",
            "How fast are ensembles trained, against JAX, torch.func, PyTorch and Keras?",
            "",
            11,
            "benchmark",
            shows="No figure of either paper: speed.",
            reading=(
                "Member-steps per second: updates of one network, summed over all networks that "
                "are trained at once. Ratios are medians of rounds in which all contenders take "
                "turns on the same cores; the share of the matrix product tells how near the "
                "hardware's limit they are."
            ),
            misleads=(
                "Numbers of one machine on one day. Only ratios within a run compare; contenders "
                "that were not installed are left out."
            ),
            main_figure="benchmark",
            main_table="benchmark",
        ),
        Experiment(
            "benchmark_images",
            "How fast is a classifier trained, and what do waves and probes cost it?",
            "",
            5,
            "benchmark_images",
            shows="No figure of either paper: speed.",
            reading="Images per second, and ratios as medians of rounds in which all take turns.",
            misleads="Numbers of one machine on one day; only ratios within a run compare.",
            main_table="training",
        ),
        Experiment(
            "benchmark_augmentation",
            "How fast are images augmented, against torchvision and PIL?",
            "",
            6,
            "benchmark",
            shows="No figure of either paper: speed.",
            reading=(
                "Images per second of the same augmentations, and ratios as medians of rounds in "
                "which all take turns."
            ),
            misleads=(
                "A contender that draws once for a whole batch does less work than the others. "
                "Numbers of one machine on one day."
            ),
        ),
        Experiment(
            "benchmark_paths",
            "What does measuring along paths cost, against a bare forward pass?",
            "",
            7,
            "benchmark_paths",
            shows="No figure of either paper: speed.",
            reading=(
                "Images per second of measuring along paths beside the bare forward pass on the "
                "same images; and the memory with few and many pairs."
            ),
            misleads="Numbers of one machine on one day; only ratios within a run compare.",
            main_table="rates",
        ),
        Experiment(
            "benchmark_measure",
            "What does measuring one's own model cost?",
            "",
            9,
            "benchmark_measure",
            shows="No figure of either paper: speed.",
            reading=(
                "Seconds with measuring and without, and their ratio as a median of rounds in "
                "which both take turns."
            ),
            misleads=(
                "A single call traces its program, which a probe or callback does once. Rounds "
                "scatter by several per cent."
            ),
            main_table="costs",
        ),
        Experiment(
            "benchmark_probing",
            "What do spectra cost a training, and perturbed copies a network?",
            "",
            1,
            "benchmark",
            shows="No figure of either paper: speed.",
            reading=(
                "What a spectrum every 100 steps costs a training, and perturbed networks per "
                "second."
            ),
            misleads="Numbers of one machine on one day; only ratios within a run compare.",
        ),
        Experiment(
            "benchmark_start",
            "How long until the first step, and how much of that is compiling?",
            "",
            20,
            "benchmark",
            shows="No figure of either paper: speed.",
            reading=(
                "Seconds from the start of the process to imports, first step and end, with "
                "empty caches and with full ones."
            ),
            misleads=(
                "The operating system may keep files in memory that somebody else has open, "
                "which makes a cold start look warmer."
            ),
        ),
        Experiment(
            "benchmark_saves",
            "What does a save cost, early in a run and at its end?",
            "",
            7,
            "benchmark_saves",
            shows="No figure of either paper: speed.",
            reading=(
                "Bytes and seconds of a save early in a run and at its end, by experiment: they "
                "should be alike."
            ),
            misleads="Seconds depend on the disk; bytes do not.",
            main_table="pages",
        ),
        Experiment(
            "benchmark_scaling",
            "How do time and memory grow with size?",
            "",
            11,
            "benchmark_scaling",
            shows="No figure of either paper: speed.",
            reading=(
                "Exponents of time and memory over the upper half of the sizes, beside those of "
                "the arithmetic, and the largest size that fits 24 GB."
            ),
            misleads=(
                "The largest sizes are extrapolated, and the intervals of the exponents widen "
                "with them."
            ),
            main_figure="scaling",
            main_table="fits",
        ),
        Experiment(
            "costs",
            "What do the papers' own studies cost, by counted operations?",
            "",
            0.5,
            "costs",
            shows="Neither paper says what its studies cost.",
            reading=(
                "Operations are counted from the networks themselves; hours follow from the peak "
                "rate of a device and the share of it that is reached."
            ),
            misleads=(
                "Hours are estimates: shares are assumed where nothing was measured, and reading "
                "and augmenting images are not in them."
            ),
            main_table="hours",
        ),
    ),
}

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for group in GROUPS.values() for experiment in group
}

# What `Measurement.save` writes, and a callback's folder: no launcher, but it has a page, too.
MEASURE = Experiment(
    "measure",
    "Which frequencies does this model have?",
    "",
    0,
    "",
    reading=(
        "The figure shows the spectrum of the model at the place where it was measured; while it "
        "trained, by step. Tables are named by their axes: by_step_and_frequency.csv has a row "
        "for each step and frequency. A normalised magnitude of 1 is a frequency that the model "
        "has learned whole, 0 one of which it has nothing."
    ),
    misleads=(
        "A function that does not end where it began jumps at the border of the box, and a jump "
        "has power at all frequencies. What lies above the Nyquist frequency of the samples is "
        "folded below it. One model has no interval: train several to tell what is its own."
    ),
    main_figure="measurement",
)

# With what is no experiment, but has a page.
EVERY = {**EXPERIMENTS, MEASURE.name: MEASURE}
