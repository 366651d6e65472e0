"""The extractor that a configuration names."""

import functools

from components.evaluate.config import EvaluateConfig
from components.metrics.extractor import Extractor


def load_extractor(config: EvaluateConfig) -> Extractor:
    """Load the network that `config` names, once a process.

    Raises:
        UsageError: Its file is missing, is another one than said, or is no such network.
        PipelineError: Its address does not answer, or this package's weights are damaged.
    """
    return _load(config.extractor, config.extractor_source, config.extractor_sha256)


@functools.cache
def _load(name: str, source: str, sha256: str) -> Extractor:
    # Each brings TensorFlow, and only one is needed.
    if name == "inception_v3_fid":
        from components.evaluate.extractors import inception_v3_fid

        return inception_v3_fid.load(source, sha256)
    if name == "inception_v3_keras":
        from components.evaluate.extractors import inception_v3_keras

        return inception_v3_keras.load(source, sha256)
    if name == "saved_model":
        from components.evaluate.extractors import saved_model

        return saved_model.load(source, sha256)
    from components.metrics import efficientnet_lite0

    return efficientnet_lite0.load()
