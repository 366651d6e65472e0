#!/usr/bin/env bash
# kfp 2.17.0: a setting of a task reads the whole stack, and for a notebook's cell scans all modules.
#
# `set_cpu_request`, `set_memory_limit`, `set_env_variable` and their like first call
# `inspect.stack()`, to name their caller in an error that only importers and nested pipelines
# meet. That finds the file and the source lines of every frame. For code that is of no module's
# file, as a cell's is, it goes through all of `sys.modules`, each time anew. So what a setting
# costs is next to nothing in a script that imports kfp alone, and much where a framework is
# loaded and the stack is deep: two tests of ours, which compile eleven tasks eight times, took
# 10.7 s by themselves and 5.1 s without that call, and more the later they ran among others.
# Counted here, not timed.
# Needs Python 3.11. Seen, of one setting:
#   frames read, 40 frames deeper: 40 more
#   modules asked, with 2,000 more modules: all of them and more
#   frames read by a setting of kfp-kubernetes: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3.11 -m venv env
env/bin/pip install --quiet kfp==2.17.0 kfp-kubernetes==2.17.0
cat > count.py <<'PY'
import inspect
import sys
import types

from kfp import dsl, kubernetes

MORE = 2000
counts = {"ismodule": 0, "getframeinfo": 0}


def counted(name):
    real = getattr(inspect, name)

    def counting(*arguments, **options):
        counts[name] += 1
        return real(*arguments, **options)

    setattr(inspect, name, counting)


@dsl.container_component
def step():
    return dsl.ContainerSpec(image="scratch")


CELL = """
def deeper(setting, task, left):
    deeper(setting, task, left - 1) if left else setting(task)
"""
exec(compile(CELL, "<cell>", "exec"))


def cost(setting, depth):
    """What one setting looks at, made so many of the cell's frames deep."""

    found = {}

    @dsl.pipeline
    def one():
        task = step()
        counts.update(ismodule=0, getframeinfo=0)
        deeper(setting, task, depth)
        found.update(counts)

    return found


def cpu(task):
    task.set_cpu_request("1")


for name in counts:
    counted(name)
cost(cpu, 40)  # the first one fills inspect's caches
shallow, deep = cost(cpu, 0), cost(cpu, 40)
other = cost(lambda task: kubernetes.set_timeout(task, 60), 40)
for index in range(MORE):
    sys.modules[f"made_{index}"] = types.ModuleType(f"made_{index}")
many = cost(cpu, 0)
print(f"frames read, 40 frames deeper: {deep['getframeinfo'] - shallow['getframeinfo']} more")
all_of_them = many["ismodule"] > len(sys.modules) > MORE
print(f"modules asked, with 2,000 more modules: {'all of them and more' if all_of_them else many}")
print(f"frames read by a setting of kfp-kubernetes: {other['getframeinfo']}")
PY
env/bin/python -W ignore count.py | tee seen
diff seen - <<'SEEN'
frames read, 40 frames deeper: 40 more
modules asked, with 2,000 more modules: all of them and more
frames read by a setting of kfp-kubernetes: 0
SEEN
