"""A program that loads a SavedModel as its user does, by TensorFlow alone, and asks it to draw.

`canary` runs it in a new process, which imports nothing else of this package:

    python -I ask_saved_model.py MODEL REQUESTS ANSWERS SECONDS

REQUESTS and ANSWERS are .npz files with inputs and outputs by "signature/name"; PNG files come
decoded. It prints lines of JSON: what it is `doing`, for how many seconds at most (`limit`), then
the `seconds` that each signature took, or the `error`. SIGALRM ends it where a signature takes
more than SECONDS, the first call's optimisation of its graph included.
"""

import json
import signal
import sys
import time
from typing import Any

import numpy as np

_LONGEST = 600.0  # seconds for TensorFlow and the model to load; then it hangs, on whatever disk


def main(model: str, requests: str, answers: str, seconds: float) -> None:
    """Ask for what is in `requests`, and write what comes."""
    # The kernel's alarm also ends what hangs in native code, and when the parent is gone.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _begin("loading", _LONGEST)
    try:
        import tensorflow as tf

        loaded = tf.saved_model.load(model)
        inputs: dict[str, dict[str, Any]] = {}
        with np.load(requests) as file:
            for key, value in file.items():
                signature, name = key.split("/")
                inputs.setdefault(signature, {})[name] = tf.constant(value)
        if missing := ", ".join(sorted(inputs.keys() - set(loaded.signatures))):
            raise LookupError(f"no signature {missing}")

        outputs, taken = {}, {}
        for signature, values in inputs.items():
            _begin(f"signature {signature}", seconds)
            started = time.monotonic()
            for name, output in loaded.signatures[signature](**values).items():
                outputs[f"{signature}/{name}"] = output.numpy()
            taken[signature] = time.monotonic() - started

        _begin("decoding", _LONGEST)
        for key, output in outputs.items():
            if output.dtype == object:  # of files
                outputs[key] = np.stack([tf.io.decode_png(file).numpy() for file in output])
        np.savez(answers, **outputs)
    except Exception as error:  # whatever it is, the parent tells it
        _say(error=f"{type(error).__name__}: {error}")
        sys.exit(1)
    _say(seconds=taken)


def _begin(doing: str, limit: float) -> None:
    _say(doing=doing, limit=limit)
    signal.setitimer(signal.ITIMER_REAL, limit)


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    _model, _requests, _answers, _seconds = sys.argv[1:]
    main(_model, _requests, _answers, float(_seconds))
