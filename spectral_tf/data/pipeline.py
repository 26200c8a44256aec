"""Batches of images for training and evaluation, as `tf.data.Dataset`s with static shapes."""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from spectral_tf.data.augment import Augmentation, Mixing, Part, chain
from spectral_tf.data.images import TOO_SMALL, Images
from spectral_tf.data.normalisation import Normalisation
from spectral_tf.errors import UserError
from spectral_tf.streams import without_autotune

# Encoded images held back for shuffling where not all of them are in memory.
_SHUFFLE_BUFFER = 8_192
# How many stretches of files a streamed batch is put together of, at most.
_MOST_LANES = 16
_FILES_IN_A_LANE = 4


def training_batches(
    images: Images,
    normalisation: Normalisation,
    *,
    batch_size: int,
    seed: int,
    policies: Sequence[Augmentation] = (),
    augmentations: Sequence[Augmentation] = (),
    mixings: Sequence[Mixing] = (),
    input_shape: Sequence[int] | None = None,
    first_step: int = 0,
    num_replicas: int = 1,
    replicas: Sequence[int] = (0,),
) -> tf.data.Dataset:
    """Shuffled and augmented batches without end.

    Batch number s depends on the seed and on s alone: a run that starts at `first_step` sees what
    an uninterrupted one would have seen, and the batches of all replicas, put together, are the
    batch of one. Every epoch is a permutation of the data set; what is left of it after the last
    full batch is dropped. Sets that are not `resident` are shuffled within blocks of 8,192 images
    of their stored order, which TFDS has shuffled once; of sets of many files every batch is put
    together of `num_lanes` stretches of files, and what does not belong to these replicas, or
    comes before the first step, is not read.

    Args:
      images: the training split.
      normalisation: applied before the augmentations, so that they fill with the data's mean.
      batch_size: of the global batch.
      seed: of order and augmentations.
      policies: applied first, in this order, to pixels in [0, 1].
      augmentations: applied then, in this order, to normalised pixels.
      mixings: applied last, in this order, to normalised pixels and labels.
      input_shape: of the network, [h, w, c]; larger images are cut to their central square (if the
        network's input is one) and shrunk. Default: the images' own.
      first_step: the number of the first batch.
      num_replicas: into how many parts every batch is cut.
      replicas: which of them this data set gives; element i is of step first_step + i // r and
        replica replicas[i % r].

    Returns:
      Of (images [b, h, w, c] float32, labels [b] int32) with b = batch_size / num_replicas; with
      mixings, labels are weights of the classes, [b, C] float32.

    Raises:
      UserError: a batch size below 1, above the number of images or not a multiple of the replicas;
        images that do not fit the network.
    """
    shape = fitting_shape(images, input_shape)
    if not 1 <= batch_size <= images.num_examples or batch_size % num_replicas:
        raise UserError(
            "batch_size",
            expected=f"1 to {images.num_examples} images in multiples of {num_replicas} replicas",
            got=batch_size,
            hint="choose another",
        )
    before, after = chain(policies), chain(augmentations)
    per_epoch = images.num_examples // batch_size
    share = batch_size // num_replicas
    parts = tf.constant(list(replicas))

    def finish(number: tf.Tensor, pixels: tf.Tensor, labels: tf.Tensor) -> tuple:
        step, start = number // len(replicas), share * parts[number % len(replicas)]
        own = tf.random.experimental.stateless_fold_in(tf.constant([seed, 0]), step)
        part = Part(batch_size, start)
        inputs = shrunk(pixels, shape)
        if policies:
            policy_seed = tf.random.experimental.stateless_fold_in(tf.constant([seed, 1]), step)
            inputs = before(inputs, policy_seed, part)
        inputs = after(normalisation.apply(inputs), own, part)
        inputs, labels = tf.ensure_shape(inputs, (share, *shape)), tf.cast(labels, tf.int32)
        if mixings:
            labels = tf.one_hot(labels, images.num_classes)
        for i, mixing in enumerate(mixings):
            mixing_seed = tf.random.experimental.stateless_fold_in(tf.constant([seed, 2 + i]), step)
            inputs, labels = mixing(inputs, labels, mixing_seed, part)
        return inputs, labels

    first = len(replicas) * first_step
    # Said to be infinite: of others several hosts ask at every step whether all have data left.
    numbers = tf.data.Dataset.counter(first, dtype=tf.int32)
    if images.resident:
        pixels, labels = map(tf.constant, images.arrays())

        def chosen(number: tf.Tensor) -> tuple:
            step, start = number // len(replicas), share * parts[number % len(replicas)]
            positions = (step % per_epoch) * batch_size + start + tf.range(share)
            rows = tf.random.experimental.index_shuffle(
                positions, tf.stack([seed, step // per_epoch]), images.num_examples - 1
            )
            return finish(number, tf.gather(pixels, rows), tf.gather(labels, rows))

        return without_autotune(numbers.map(chosen, tf.data.AUTOTUNE))

    own = [start + i for start in (share * r for r in replicas) for i in range(share)]
    rows = _streamed(images, batch_size, seed, first_step, own)

    def cut(pair: tuple) -> tf.data.Dataset:
        shape = (len(replicas), share)
        return tf.data.Dataset.from_tensor_slices(tuple(tf.reshape(part, shape) for part in pair))

    batches = tf.data.Dataset.zip(numbers, rows.flat_map(lambda *pair: cut(pair)))
    batches = batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    decoded = batches.map(
        lambda number, pair: finish(number, _decoded(images, pair[0], shape), pair[1]),
        tf.data.AUTOTUNE,
    )
    return without_autotune(decoded.prefetch(2 * len(replicas)))


def num_lanes(images: Images, batch_size: int) -> int:
    """Into how many stretches of its files a streamed set is cut, each with a part of every batch.

    The largest power of two, up to 16, that divides the batch and leaves four files to each: so
    that little is read of files that belong to two. It does not depend on the hosts.
    """
    lanes = math.gcd(batch_size, _MOST_LANES)
    while lanes > 1 and images.num_files < _FILES_IN_A_LANE * lanes:
        lanes //= 2
    return lanes


def _streamed(
    images: Images, batch_size: int, seed: int, first_step: int, wanted: Sequence[int]
) -> tf.data.Dataset:
    """Without end, of each batch the examples at the places wanted: (encoded [w], labels [w]).

    With k lanes of n examples, lane l holds those from n l // k on in the order of the files, and
    gives places l b / k, ..., (l + 1) b / k - 1 of every batch of b. Within a lane blocks of
    8,192 / k are shuffled, in each epoch anew. Only lanes of places that are wanted are read, from
    the block on that the first step is in.
    """
    count, lanes = images.num_examples, num_lanes(images, batch_size)
    width, per_epoch = batch_size // lanes, images.num_examples // batch_size
    size = _SHUFFLE_BUFFER // lanes
    first_epoch, begun = divmod(first_step, per_epoch)

    def of_lane(lane: int) -> tf.data.Dataset:
        start, stop = count * lane // lanes, count * (lane + 1) // lanes

        @tf.autograph.experimental.do_not_convert
        def epoch(number: tf.Tensor, steps: int = 0) -> tf.data.Dataset:
            skipped = steps * width // size

            # Not `Dataset.shuffle`: its order also depends on TensorFlow's global seed.
            def mixed(block: tf.Tensor, pair: tuple) -> tuple:
                length = tf.shape(pair[1])[0]
                own = tf.random.experimental.stateless_fold_in(
                    tf.stack([seed, number]), block + (lane << 32)
                )
                order = tf.random.experimental.stateless_shuffle(tf.range(length), own)
                return tuple(tf.gather(part, order) for part in pair)

            if lanes == 1:
                examples = images.dataset(decode=False).skip(skipped * size)
            else:
                examples = images.stretch(start + skipped * size, stop)
            blocks = examples.batch(size).enumerate(skipped).map(lambda i, pair: mixed(i, pair))
            mine = blocks.unbatch().skip(steps * width - skipped * size)
            return mine.batch(width, drop_remainder=True).take(per_epoch - steps)

        later = tf.data.Dataset.counter(first_epoch + 1).flat_map(epoch)
        first = epoch(tf.constant(first_epoch, tf.int64), begun)
        return first.concatenate(later).prefetch(2)

    needed = sorted({place // width for place in wanted})
    places = [needed.index(place // width) * width + place % width for place in wanted]

    def of_batch(*pairs: tuple) -> tuple:
        joined = (tf.concat(parts, axis=0) for parts in zip(*pairs, strict=True))
        return tuple(tf.gather(part, places) for part in joined)

    return tf.data.Dataset.zip(tuple(map(of_lane, needed))).map(of_batch)


def evaluation_batches(
    images: Images,
    normalisation: Normalisation,
    *,
    batch_size: int,
    input_shape: Sequence[int] | None = None,
    num_replicas: int = 1,
    replicas: Sequence[int] = (0,),
) -> tf.data.Dataset:
    """Every example once, in stored order.

    The last batch is filled up with copies of weight 0, so that all shapes are static.

    Args:
      images, normalisation, input_shape, num_replicas, replicas: as for `training_batches`.
      batch_size: of the global batch, a multiple of the replicas; any size.

    Returns:
      Of (images [b, h, w, c] float32, labels [b] int32, weights [b] float32, 1 or 0).

    Raises:
      UserError: as `training_batches`, except that the batch may be larger than the set.
    """
    shape = fitting_shape(images, input_shape)
    if batch_size < 1 or batch_size % num_replicas:
        raise UserError(
            "batch_size",
            expected=f"1 or more in multiples of {num_replicas} replicas",
            got=batch_size,
            hint="choose another",
        )
    share = batch_size // num_replicas
    padding = -images.num_examples % batch_size
    if images.resident:
        encoded = tf.data.Dataset.from_tensor_slices(images.arrays())
    else:
        encoded = images.dataset(decode=False)
    # The first ones again, as often as it takes, weigh nothing.
    weighted = tf.data.Dataset.zip(
        encoded.concatenate(encoded.repeat().take(padding)),
        tf.data.Dataset.range(images.num_examples + padding),
    )
    batches = weighted.batch(share, drop_remainder=True)
    wanted = tf.constant(list(replicas), tf.int64)
    batches = batches.enumerate().filter(lambda i, _: tf.reduce_any(i % num_replicas == wanted))

    def finish(_: tf.Tensor, element: tuple) -> tuple:
        (pixels, labels), positions = element
        inputs = normalisation.apply(shrunk(_decoded(images, pixels, shape), shape))
        weights = tf.cast(positions < images.num_examples, tf.float32)
        return tf.ensure_shape(inputs, (share, *shape)), tf.cast(labels, tf.int32), weights

    return without_autotune(batches.map(finish, tf.data.AUTOTUNE))


def on_replicas(
    strategy: tf.distribute.Strategy, make: Callable[..., tf.data.Dataset]
) -> tf.distribute.DistributedDataset:
    """Batches for all replicas of a strategy, each host making those of its own.

    Args:
      strategy: with one or several hosts.
      make: `training_batches` or `evaluation_batches` with all but `num_replicas` and `replicas`
        given, as by `functools.partial`.

    Returns:
      Elements hold one part of the global batch for every replica.
    """

    def of_host(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = context.num_replicas_in_sync
        local = count // context.num_input_pipelines
        first = local * context.input_pipeline_id
        return make(num_replicas=count, replicas=range(first, first + local))

    return strategy.distribute_datasets_from_function(of_host)


def fitting_shape(images: Images, wanted: Sequence[int] | None = None) -> tuple[int, int, int]:
    """The shape [h, w, c] of inputs: the images' own, or the one wanted of a network.

    Raises:
      UserError: images that do not fit.
    """
    shape = images.shape
    fits = len(shape) == 3 and (len(wanted) == 3 if wanted is not None else None not in shape)
    if fits and wanted is not None:
        fits = shape[2] == wanted[2] and all(
            have is None or have >= want for have, want in zip(shape, wanted, strict=True)
        )
    if not fits:
        raise UserError(
            f"images of {images.name}",
            expected=f"the network's input {tuple(wanted)}, or larger with as many channels"
            if wanted is not None
            else "one shape [h, w, c], or a network's input shape to bring them to",
            got=f"{shape}",
            hint="choose a network or a data set that fits",
        )
    height, width, channels = wanted if wanted is not None else shape
    return int(height or 0), int(width or 0), int(channels or 0)


def _decoded(images: Images, encoded: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """A batch of encoded images as pixels, of the network's size where they differ in size."""
    if encoded.dtype != tf.string:
        return encoded
    if None in images.shape:
        signature = tf.TensorSpec(shape, tf.float32)
        return tf.map_fn(
            lambda one: shrunk(images.decode(one), shape), encoded, fn_output_signature=signature
        )
    signature = tf.TensorSpec(images.shape, tf.uint8)
    return tf.map_fn(images.decode, encoded, fn_output_signature=signature)


def prepare(normalisation: Normalisation) -> Callable[[tf.Tensor], tf.Tensor]:
    """Stored pixels [..., h, w, c] -> images as the network sees them, float32."""

    def apply(pixels: tf.Tensor) -> tf.Tensor:
        return normalisation.apply(tf.image.convert_image_dtype(pixels, tf.float32))

    return apply


def shrunk(pixels: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """Pixels [..., h, w, c] in [0, 1]: the largest central part of the new form, made smaller."""
    unit = tf.image.convert_image_dtype(pixels, tf.float32)
    if tuple(unit.shape[-3:]) == shape:
        return unit
    height, width = tf.shape(unit)[-3], tf.shape(unit)[-2]
    scale = tf.minimum(height / shape[0], width / shape[1])
    tf.debugging.assert_greater_equal(scale, tf.constant(1.0, scale.dtype), TOO_SMALL)
    rows = tf.cast(tf.round(scale * shape[0]), tf.int32)
    columns = tf.cast(tf.round(scale * shape[1]), tf.int32)
    top, left = (height - rows) // 2, (width - columns) // 2
    part = unit[..., top : top + rows, left : left + columns, :]
    return tf.image.resize(part, shape[:2], antialias=True)
