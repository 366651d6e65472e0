"""A program in the place of `snapshot_kid`, which takes the KID of each epoch from $KIDS."""

import json
import os
import re
import sys

kids = json.loads(os.environ["KIDS"])


def kid_of(path):
    return kids[int(re.search(r"epoch-(\d+)", path)[1])]


for line in sys.stdin:
    ours, theirs = (path and kid_of(path) for path in json.loads(line))
    if ours is None:
        sys.exit("no memory is left")
    gain = theirs is None or ours < theirs - 0.01
    print(json.dumps({"kid": ours, "kid_interval": 0.01, "gain": gain}), flush=True)
