"""Trainings in processes of their own that need not import TensorFlow anew.

This file is a program: it imports what a training needs, runs no TensorFlow operation, and
forks a child for each line that it reads, {"component": arguments of the train component,
"log": path, "plan": …}. It answers with the child's process id, and later its exit status.

A child runs the component's body, as its plan says:
    kill_at: it dies after that step, as always here by SIGKILL
    checkpoint_at: with a checkpoint of that step written before
    kill_soon: [step, seconds]: it dies so long after that step, counted from its first
    kill_in_write: [step, seconds]: or so long into the first write of a checkpoint after it
    kill_in_fsync: [step, any]: or when such a write is done but for the renaming
    stop_soon, stop_in_write: [step, seconds]: at that step, or when the first write of a
        checkpoint after it begins, it is asked to stop, and dies so long afterwards
    wait_at: it waits for a signal after that step
    slow_writes: seconds that the writer takes for each file, when it is there but not whole
    time_passes: [step, seconds]: so much training time has passed at once after that step
    full_at: [step, path]: after that step the disk is full for that file of the training
Beside the log, in `<log>.events`, it notes {"from": first step}, {"done": step, "memory":
resident pages} and {"queued": step of a checkpoint}.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

from components.shared import process
from components.train import step
from components.train.component import train
from components.train.loop import TrainingLoop
from components.train.training_folder import TrainingFolder

# How a plan ends it, by steps that are counted from its first.
COUNTED = {"kill_soon", "kill_in_write", "kill_in_fsync", "stop_soon", "stop_in_write"}


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
    ObservedLoop.plan, ObservedLoop.events = plan, Path(f"{log}.events")
    step.TrainingLoop = ObservedLoop
    TrainingFolder.save_checkpoint = observed_write
    os.fsync = slow_fsync
    folders = ("records", "transform_graph", "training")
    arguments = component | {name: SimpleNamespace(path=component[name]) for name in folders}
    train.python_func(**arguments)


class ObservedLoop(TrainingLoop):
    """Notes what it does, and dies as planned."""

    def note(self, **event):
        with self.events.open("a") as file:
            file.write(json.dumps(event) + "\n")

    def run(self, *arguments):
        for how in self.plan.keys() & COUNTED:
            self.plan[how][0] += self.first_step
        self.note(**{"from": self.first_step})
        super().run(*arguments)

    def _after(self, done):
        moment, seconds = self.plan.get("time_passes", (None, None))
        if done == moment:
            self._trainer.seconds.assign_add(seconds)
        super()._after(done)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.note(done=done, memory=pages)
        moment, seconds = self.plan.get("kill_soon", (None, None))
        if done == moment:
            kill_after(seconds)
        moment, seconds = self.plan.get("stop_soon", (None, None))
        if done == moment:
            stop(seconds)
        if done == self.plan.get("checkpoint_at"):
            self._save(done)
            self._writer.flush()
        if done == self.plan.get("kill_at"):
            kill()
        if done == self.plan.get("wait_at"):
            process._stop_request.wait()
        moment, name = self.plan.get("full_at", (None, None))
        if done == moment:
            (self._folder.path / name).symlink_to("/dev/full")

    def _save(self, done):
        super()._save(done)
        self.note(queued=done)


def observed_write(self, arrays, write=TrainingFolder.save_checkpoint):
    moment, seconds = ObservedLoop.plan.get("kill_in_write", (float("inf"), None))
    if arrays["step"] >= moment:
        kill_after(seconds)
    moment, seconds = ObservedLoop.plan.get("stop_in_write", (float("inf"), None))
    if arrays["step"] >= moment:
        stop(seconds)
    moment, _ = ObservedLoop.plan.get("kill_in_fsync", (float("inf"), None))
    if arrays["step"] >= moment:
        os.fsync = lambda _: kill()
    write(self, arrays)


def slow_fsync(descriptor, fsync=os.fsync):
    if threading.current_thread().name.startswith("writer"):
        time.sleep(ObservedLoop.plan.get("slow_writes", 0))
    fsync(descriptor)


def stop(seconds):
    """As Kubernetes does, which waits no longer than that."""
    os.kill(os.getpid(), signal.SIGTERM)
    kill_after(seconds)


def kill_after(seconds):
    timer = threading.Timer(seconds, kill)
    timer.daemon = True  # who ends before is not held up
    timer.start()


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
