"""deploy/ against the programs themselves, by the same checks that make lint runs."""
import os
import sys

from harness import BIN, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "lint"))

import deploy  # noqa: E402
from tree import Tree  # noqa: E402


def test_the_example_has_every_setting_at_its_default_and_every_program_takes_it():
    assert list(deploy.settings(Tree(ROOT, os.path.dirname(os.path.abspath(BIN))))) == []
