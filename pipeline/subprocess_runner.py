"""The steps as processes of this machine, by kfp's subprocess runner."""

import os
import subprocess
from collections.abc import Mapping, Sequence


def run_process(full_command: Sequence[str], env_vars: Mapping[str, str] | None = None) -> int:
    """Run one step, print what it says as it says it, and give its exit code.

    Stands in for kfp 2.17.0's function, which hands the component's code over, and reads what it
    says, in the locale's encoding, and ends with a traceback at the first sign that this lacks.
    """
    with subprocess.Popen(
        [part.encode("utf-8", "surrogateescape") for part in full_command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        bufsize=1,
        env={**os.environ, **(env_vars or {})},
    ) as process:
        for line in process.stdout or ():
            print(line, end="")
        return process.wait()
