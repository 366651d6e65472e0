"""Adam by TensorFlow's fused kernel."""

from collections.abc import Sequence

import tensorflow as tf

_BETA_2 = 0.999
_EPSILON = 1e-7  # Keras' default


class Adam:
    """Adam of Kingma & Ba 2015 (https://arxiv.org/abs/1412.6980, §2, last paragraph).

    The same update as `keras.optimizers.Adam`, which reads and writes each weight some ten
    times over; the fused kernel does it once. At full width, where 37 million weights meet
    ten pictures a step, that is a tenth of the step.
    """

    def __init__(
        self, variables: Sequence[tf.Variable], learning_rate: float, beta_1: float
    ) -> None:
        """Make the moments of each variable, zero at first."""
        self._variables = list(variables)
        self._learning_rate, self._beta_1 = learning_rate, beta_1
        self.moments = [
            tf.Variable(tf.zeros_like(variable), trainable=False)
            for variable in [*self._variables, *self._variables]
        ]

    def apply(self, gradients: Sequence[tf.Tensor], step: tf.Tensor) -> None:
        """Update all variables.

        Args:
            gradients: One for each variable, of its shape and dtype.
            step: Updates before this one, any integer dtype, [].
        """
        number = tf.cast(step + 1, tf.float32)
        first, second = tf.pow(self._beta_1, number), tf.pow(_BETA_2, number)
        count = len(self._variables)
        for variable, mean, square, gradient in zip(
            self._variables, self.moments[:count], self.moments[count:], gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=mean.handle, v=square.handle,
                beta1_power=first, beta2_power=second, lr=self._learning_rate,
                beta1=self._beta_1, beta2=_BETA_2, epsilon=_EPSILON, grad=gradient,
            )  # fmt: skip
