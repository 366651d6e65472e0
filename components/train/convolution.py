"""Strided convolution and its adjoints, each by the quickest exact form.

A convolution is linear in its picture and in its kernel. So it has two adjoints, and each of
the three maps is the derivative of another: one module serves both networks, forwards,
backwards, and in the second derivatives that R1 asks for.

With few positions and many channels, as in the layer next to 4×4, the kernel is larger than
what passes through it. oneDNN then spends most of the time on bringing the kernel's 50 MB
into an order of its own, where a matrix product of patches reads it once as it lies.
"""

import tensorflow as tf

from components.train.hardware import has_gpu

STRIDE = 2
# Channels in times channels out from which the matrix product is quicker on a CPU: measured
# on two cores with batches of 10 to 64, kernels 5×5: 1.5 to 6 times at 512·1024, even at
# 256·512, slower below.
_WIDE = 2**18


def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolve with stride 2 and padding "same".

    Args:
        images: float32 or bfloat16 [B, 2H, 2W, I].
        kernel: The same dtype, [K, K, I, O], K ≥ 2.

    Returns:
        [B, H, W, O].
    """
    if not _is_wide(kernel.shape):
        return tf.nn.conv2d(images, kernel, STRIDE, "SAME")
    return _convolve(images, kernel)


def convolve_transposed(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The adjoint of `convolve` at the same kernel: twice the side.

    Args:
        images: float32 or bfloat16 [B, H, W, O].
        kernel: The same dtype, [K, K, I, O], K ≥ 2.

    Returns:
        [B, 2H, 2W, I].
    """
    if not _is_wide(kernel.shape):
        batch, height, width = tf.unstack(tf.shape(images)[:3])
        shape = [batch, STRIDE * height, STRIDE * width, kernel.shape[2]]
        return tf.nn.conv2d_transpose(images, kernel, shape, STRIDE, "SAME")
    return _convolve_transposed(images, kernel)


def _is_wide(shape: tf.TensorShape) -> bool:
    return shape[2] * shape[3] >= _WIDE and not has_gpu()


@tf.custom_gradient
def _convolve(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, object]:
    side = kernel.shape[0]
    height, width = images.shape[1] // STRIDE, images.shape[2] // STRIDE
    product = tf.matmul(_patches(images, side), _flat(kernel))
    outputs = tf.reshape(product, [-1, height, width, kernel.shape[3]])

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _convolve_transposed(upstream, kernel), _kernel_gradient(images, upstream, side)

    return outputs, gradient


@tf.custom_gradient
def _convolve_transposed(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, object]:
    side, channels = kernel.shape[0], kernel.shape[2]
    height, width = images.shape[1:3]
    product = tf.matmul(_flat(images), _flat(kernel), transpose_b=True)
    outputs = _overlay(tf.reshape(product, [-1, height, width, side, side, channels]))

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _convolve(upstream, kernel), _kernel_gradient(upstream, images, side)

    return outputs, gradient


def _kernel_gradient(images: tf.Tensor, upstream: tf.Tensor, side: int) -> tf.Tensor:
    @tf.custom_gradient
    def bilinear(images: tf.Tensor, upstream: tf.Tensor) -> tuple[tf.Tensor, object]:
        product = tf.matmul(_patches(images, side), _flat(upstream), transpose_a=True)
        outputs = tf.reshape(product, [side, side, images.shape[3], upstream.shape[3]])

        def gradient(at_kernel: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return _convolve_transposed(upstream, at_kernel), _convolve(images, at_kernel)

        return outputs, gradient

    return bilinear(images, upstream)


def _flat(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [-1, values.shape[-1]])


def _patches(images: tf.Tensor, side: int) -> tf.Tensor:
    """What the kernel sees at each position: [B·H·W, K·K·I]."""
    window, stride = [1, side, side, 1], [1, STRIDE, STRIDE, 1]
    return _flat(tf.image.extract_patches(images, window, stride, [1, 1, 1, 1], "SAME"))


def _overlay(patches: tf.Tensor) -> tf.Tensor:
    """Add patches up where they overlap, the adjoint of `_patches`.

    Rows 2m and 2m + 1 of the patch at row h fall on rows 2(h + m) and 2(h + m) + 1 of the
    padded picture. So patches are cut into cells of 2×2, and there are as few additions as
    cells in a patch.

    Args:
        patches: [B, H, W, K, K, C].

    Returns:
        [B, 2H, 2W, C].
    """
    height, width, side, _, channels = patches.shape[1:]
    cells = -(-side // STRIDE)
    rest = cells * STRIDE - side
    padded = tf.pad(patches, [[0, 0]] * 3 + [[0, rest], [0, rest], [0, 0]])
    padded = tf.reshape(padded, [-1, height, width, cells, STRIDE, cells, STRIDE, channels])
    total = tf.add_n([
        tf.pad(
            padded[:, :, :, row, :, column],
            [[0, 0], [row, cells - 1 - row], [column, cells - 1 - column], *[[0, 0]] * 3],
        )
        for row in range(cells)
        for column in range(cells)
    ])  # fmt: skip
    total = tf.transpose(total, [0, 1, 3, 2, 4, 5])
    sides = [STRIDE * (length + cells - 1) for length in (height, width)]
    total = tf.reshape(total, [-1, *sides, channels])
    before = (side - STRIDE) // 2  # of padding "same"
    return total[:, before : before + STRIDE * height, before : before + STRIDE * width]
