"""The short form of `make crash-gateway`: the same crowd, outages and counting, for some 20 seconds."""
import os
import sys

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "crash"))

import gateways  # noqa: E402


def test_every_client_that_comes_back_again_and_again_has_every_event_of_its_user_once_and_in_order():
    # Few users, so that something is always on its way to who comes back at that moment.
    run = gateways.Run(gateways.options(["--clients", "100", "--users", "20", "--drops", "8", "--here-ms", "900", "--rate", "120",
                                         "--outages", str(len(gateways.KINDS))]))
    well = run.go()
    assert well, run.text()
