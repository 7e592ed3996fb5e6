"""The fixtures: one installation for a whole file of tests, or one of its own for a test."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data"))

from database import Database  # noqa: E402
from harness import Suite  # noqa: E402


def _running(**settings):
    suite = Suite(**settings)
    try:
        suite.start_all()
    except BaseException:
        suite.close()
        raise
    return suite


@pytest.fixture(scope="module")
def shared():
    """Everything running, shared by the tests of one file."""
    suite = _running()
    yield suite
    suite.close()


@pytest.fixture
def suite(shared):
    """The shared installation, judged after each test that used it."""
    yield shared
    shared.check()


@pytest.fixture
def own():
    """Everything running, for one test that stops and breaks things."""
    suite = _running()
    yield suite
    suite.close()


@pytest.fixture
def bare():
    """Nothing running yet."""
    suite = Suite()
    yield suite
    suite.close()


@pytest.fixture
def database(request):
    for name in ("own", "suite", "bare", "shared"):
        if name in request.fixturenames:
            return Database(request.getfixturevalue(name).database)
    raise AssertionError("a test that asks for the database must use an installation")
