"""A run on its way: how far it is, and which process is its training."""

import json
import time
from pathlib import Path


def wait_for_training(workspace, epochs, at_least):
    """Folder of a training of so many epochs, once it has done at least some of them."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for state in (workspace / "runs/checkpoints").glob("*/training_state.json"):
            metrics = state.with_name("metrics.jsonl")
            done = len(metrics.read_text().splitlines()) if metrics.exists() else 0
            if json.loads(state.read_text()).get("epochs") == epochs and done >= at_least:
                return state.parent
        time.sleep(0.05)
    raise AssertionError("the training did not start")


def task_process(name, workspace):
    """Process that runs a task of this workspace: its arguments name both."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        here = any(str(workspace).encode() in argument for argument in arguments)
        if here and b"kfp.dsl.executor_main" in arguments and name.encode() in arguments:
            return int(folder.name)
    raise AssertionError(f"no process runs {name}")
