"""Trainings in processes of their own that need not import TensorFlow anew.

This file is a program: it imports what a training needs, runs no TensorFlow operation, and
forks a child for each line that it reads, {"component": arguments of the train component,
"log": path, "plan": …}. It answers with the child's process id, and later its exit status.

A child runs the component's body. Its plan says how it dies, all by SIGKILL:
    kill_at: after that step
    checkpoint_at: and with a checkpoint of that step written before
    kill_soon: [step, seconds]: so long after that step
    kill_in_write: [step, seconds]: so long into the first write of a checkpoint after it
Beside the log, in `<log>.events`, it notes {"done": step}, {"queued": step of a checkpoint}
and {"from": first step}.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

from components.train import loop as loops
from components.train import step as _  # noqa: F401
from components.train.component import train
from components.train.training_folder import TrainingFolder


def main():
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            return child(**request)
        print(pid, flush=True)
        status = os.waitpid(pid, 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)


def child(component, log, plan):
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    observe(Path(f"{log}.events"), plan)
    folders = ("records", "transform_graph", "training")
    arguments = component | {name: SimpleNamespace(path=component[name]) for name in folders}
    train.python_func(**arguments)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def observe(path, plan):
    """Note what the loop does, and die as planned."""
    loop = loops.TrainingLoop
    run, after, save, write = loop.run, loop._after, loop._save, TrainingFolder.save_checkpoint
    events = path.open("w", buffering=1)
    moment, seconds = plan.get("kill_soon") or plan.get("kill_in_write") or (None, 0)
    first = 0

    def note(**event):
        events.write(json.dumps(event) + "\n")

    def noted_run(self, *arguments):
        nonlocal first
        first = self.first_step
        note(**{"from": first})
        run(self, *arguments)

    def noted_after(self, done):
        after(self, done)
        note(done=done)
        if done == plan.get("checkpoint_at"):
            self._save(done)
            self._writer.flush()
        if done == plan.get("kill_at"):
            kill()
        if "kill_soon" in plan and done == first + moment:
            threading.Timer(seconds, kill).start()

    def noted_save(self, done):
        save(self, done)
        note(queued=done)

    def noted_write(self, arrays):
        if "kill_in_write" in plan and int(arrays["step"]) >= first + moment:
            threading.Timer(seconds, kill).start()
        write(self, arrays)

    loop.run, loop._after, loop._save = noted_run, noted_after, noted_save
    TrainingFolder.save_checkpoint = noted_write


if __name__ == "__main__":
    main()
