"""Trainings in processes of their own that need not import TensorFlow anew.

This file is a program: it imports what a training needs, runs no TensorFlow operation, and
answers each line that it reads, which is JSON:

    {"log": path, "component": arguments of the train component, "plan": …, "code": …,
     "environment": …}: it forks a child, and answers with its process id
    {"wait": process id}: it answers with that child's exit status

A child sets the variables of its environment, runs the code, and then the component's body,
observed as its plan says, with its events in `<log>.events`.
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
        if pid := request.get("wait"):
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        elif pid := os.fork():
            print(pid, flush=True)
        else:
            return child(**request)


def child(log, component, plan, code, environment):
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.environ.update(environment)
    observe(plan, Path(f"{log}.events"))
    exec(code, {})
    folders = ("records", "transform_graph", "training")
    arguments = component | {name: SimpleNamespace(path=component[name]) for name in folders}
    train.python_func(**arguments)


if __name__ == "__main__":
    main()
