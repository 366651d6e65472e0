"""A program in the place of `snapshot_kid`, which takes the KID of each epoch from $KIDS.

It ends before an epoch whose KID is null, and right after one whose KID is text.
"""

import json
import os
import re
import sys
from pathlib import Path

kids = json.loads(os.environ["KIDS"])


def kid_of(path):
    assert Path(path).exists()
    return kids[int(re.search(r"epoch-(\d+)", path)[1])]


for line in sys.stdin:
    ours, theirs = (path and kid_of(path) for path in json.loads(line))
    if ours is None:
        sys.exit("no memory is left")
    ends, ours = isinstance(ours, str), float(ours)
    gain = theirs is None or ours < theirs - 0.01
    print(json.dumps({"kid": ours, "kid_interval": 0.01, "gain": gain}), flush=True)
    if ends:
        break
