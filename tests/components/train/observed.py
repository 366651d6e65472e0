"""A training that notes what it does, and dies or waits as planned.

A plan says for one process:
    kill_at: it dies after that step, as always here by SIGKILL
    checkpoint_at: with a checkpoint of that step written before
    kill_soon: [step, seconds]: it dies so long after that step, counted from its first
    kill_in_write: [step, seconds]: or so long into the first write of a checkpoint after it
    kill_in_fsync: [step, any]: or when such a write is done but for the renaming
    stop_soon, stop_in_write: [step, seconds]: at that step, or when the first write of a
        checkpoint after it begins, it is asked to stop, and dies so long afterwards
    wait_at: it waits for a signal after that step
    signal_at: [step, number]: it sends itself that signal after that step, all writing done; 0 is
        when it has met its replicas
    slow_writes: seconds that the writer takes for each file, when it is there but not whole
    time_passes: [step, seconds]: so much training time has passed at once after that step
    full_at: [step, path]: after that step the disk is full for that file of the training
In a file of events it notes {"from": first step}, {"done": step, "memory": resident pages} and
{"queued": step of a checkpoint}, and in its log when it waits.
"""

import json
import os
import signal
import threading
import time
from pathlib import Path

from components.shared import process
from components.train import step
from components.train.loop import TrainingLoop
from components.train.training_folder import TrainingFolder

# How a plan ends it, by steps that are counted from its first.
COUNTED = {"kill_soon", "kill_in_write", "kill_in_fsync", "stop_soon", "stop_in_write"}


def observe(plan, events):
    """Have the training of this process follow a plan, and note what it does."""
    ObservedLoop.plan, ObservedLoop.events = plan, events
    step.TrainingLoop = ObservedLoop
    TrainingFolder.save_checkpoint = observed_write
    os.fsync = slow_fsync
    step.find_replicas = observed_meeting


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
        moment, number = self.plan.get("signal_at", (None, None))
        if done == moment:
            self._writer.flush()
            os.kill(os.getpid(), number)
        if done == self.plan.get("wait_at"):
            print(f"waiting after step {done}", flush=True)
            while not process._stop_request.is_set():  # not `wait`: the handler wants its lock
                time.sleep(0.01)
        moment, name = self.plan.get("full_at", (None, None))
        if done == moment:
            (self._folder.path / name).symlink_to("/dev/full")

    def _save(self, done):
        super()._save(done)
        self.note(queued=done)


def observed_meeting(find=step.find_replicas):
    replicas = find()
    moment, number = ObservedLoop.plan.get("signal_at", (None, None))
    if moment == 0:
        os.kill(os.getpid(), number)
    return replicas


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
