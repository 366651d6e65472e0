#!/usr/bin/env bash
# kfp 2.17.0's local runner never meets a condition on a named output of a nested pipeline.
#
# A pipeline may use another as a task, and what that gives back as any task's output. In `dsl.If`
# the local runner finds it where the nested pipeline has one output without a name, and not
# where a NamedTuple names it: it warns, takes the condition for not met whatever the value is,
# and ends the run as a success. So a gate before a deployment that moves into a nested pipeline
# with several outputs deploys nothing, on a laptop, and a test of that passes.
# Needs Python 3.11. Seen, of tasks that ran:
#   task's own output: judge act
#   nested pipeline's only output: judge act
#   nested pipeline's named output: judge
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3.11 -m venv env
env/bin/pip install --quiet kfp==2.17.0
cat > conditions.py <<'PY'
import sys
from typing import NamedTuple

from kfp import dsl, local


@dsl.component(install_kfp_package=False)
def judge(score: float) -> bool:
    return score < 1


@dsl.component(install_kfp_package=False)
def act():
    pass


@dsl.pipeline
def only(score: float) -> bool:
    return judge(score=score).output


class Verdict(NamedTuple):
    good: bool


@dsl.pipeline
def named(score: float) -> Verdict:
    return Verdict(good=judge(score=score).output)


@dsl.pipeline
def gate(score: float = 0.5):
    judged = {"own": judge, "only": only, "named": named}[sys.argv[1]](score=score)
    with dsl.If(judged.outputs["good" if sys.argv[1] == "named" else "Output"] == True):
        act()


local.init(local.SubprocessRunner(use_venv=False), pipeline_root="out")
gate()
PY
for kind in own only named; do
  env/bin/python -W ignore conditions.py "$kind" >"$kind.log" 2>&1
  grep -q "Pipeline .*gate.* finished with status .*SUCCESS" "$kind.log"
done
ran() { for task in judge act; do ! grep -q "Task .*'$task'.* finished" "$1.log" || echo -n " $task"; done; }
{
  echo "task's own output:$(ran own)"
  echo "nested pipeline's only output:$(ran only)"
  echo "nested pipeline's named output:$(ran named)"
} | tee seen
diff seen - <<'SEEN'
task's own output: judge act
nested pipeline's only output: judge act
nested pipeline's named output: judge
SEEN
