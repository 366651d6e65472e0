"""Loads a SavedModel as its user does, and asks it for pictures: TensorFlow alone.

A program, which `canary` runs in a new process: `python -I` keeps this package out of its sight.

    python -I ask_saved_model.py MODEL REQUESTS ANSWERS SECONDS

REQUESTS and ANSWERS are .npz files of what goes in and comes out, by "signature/name"; PNG files
are given decoded. A line of JSON says what is done now, the last one how it ended. Who takes
longer than SECONDS for an answer, or hangs before, is ended by SIGALRM.
"""

import json
import signal
import sys
import time
from typing import Any

import numpy as np

_SECONDS_TO_LOAD = 600.0  # for TensorFlow and the model: a hang, not a slow disk


def main(model: str, requests: str, answers: str, seconds: float) -> None:
    """Ask, and write what is answered."""
    # The kernel's alarm ends whatever hangs, in native code, too, and though the parent be gone.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    said: dict[str, Any] = {}
    try:
        said["doing"] = "loading"
        _say(said, _SECONDS_TO_LOAD)
        import tensorflow as tf

        signatures = (loaded := tf.saved_model.load(model)).signatures
        with np.load(requests) as asked:
            inputs: dict[str, dict[str, tf.Tensor]] = {}
            for key, value in asked.items():
                signature, name = key.split("/")
                inputs.setdefault(signature, {})[name] = tf.constant(value)
        if missing := sorted(inputs.keys() - set(signatures)):
            raise LookupError(f"no signature {missing[0]}, but {', '.join(sorted(signatures))}")
        answered, said["seconds"] = {}, {}
        for signature, values in inputs.items():
            said["doing"] = signature
            _say(said, seconds)
            started = time.monotonic()
            for name, answer in signatures[signature](**values).items():
                answered[f"{signature}/{name}"] = _pictures_of(tf, answer)
            said["seconds"][signature] = round(time.monotonic() - started, 3)
        said["doing"] = "writing the answers"
        _say(said, _SECONDS_TO_LOAD)
        np.savez(answers, **answered)
        del loaded  # the functions live no longer than it
    except Exception as error:  # whatever it is, the parent tells it
        _say(said | {"error": f"{type(error).__name__}: {error}"}, _SECONDS_TO_LOAD)
        sys.exit(1)


def _pictures_of(tf: Any, answer: Any) -> np.ndarray:
    if answer.dtype != tf.string:
        return answer.numpy()
    return np.stack([tf.io.decode_png(file).numpy() for file in answer])


def _say(said: dict[str, Any], seconds: float) -> None:
    print(json.dumps(said), flush=True)
    signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main(*sys.argv[1:4], float(sys.argv[4]))
