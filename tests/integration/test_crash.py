"""The short form of `make crash`: the same storm and the same counting, for some 20 seconds."""
import os
import sys

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "crash"))

import crash  # noqa: E402


def test_nothing_is_lost_or_booked_twice_while_everything_is_killed_and_redis_is_wiped():
    run = crash.Run(crash.options(["--kills", "40", "--seconds", "8", "--rate", "150", "--people", "60", "--wipes", "4",
                                   "--pauses", "2", "--calm", "120"]))
    well = run.go()
    assert well, run.text()
