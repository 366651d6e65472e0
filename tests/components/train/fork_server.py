"""Trainings in processes of their own that need not import TensorFlow anew.

This file is a program: it imports what a training needs, runs no TensorFlow operation, and
forks a child for each line that it reads, {"component": arguments of the train component,
"log": path, "plan": …}. It answers with the child's process id, and later its exit status.

A child runs the component's body, observed as its plan says, with its events in `<log>.events`.
"""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

from components.train.component import train
from tests.components.train.observed import observe


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
    observe(plan, Path(f"{log}.events"))
    folders = ("records", "transform_graph", "training")
    arguments = component | {name: SimpleNamespace(path=component[name]) for name in folders}
    train.python_func(**arguments)


if __name__ == "__main__":
    main()
