#!/usr/bin/python3
"""Runs the checks that a command can make of the house style; the last line counts them.

    run.py --build FOLDER [check…]

A finding that was reviewed and has to stay is listed in tests/lint/exceptions, one a line:
"<check> <path> <reason>", for clang-tidy's "tidy/<its check> <path> <reason>". An exception
that is not needed any more is a finding itself.
"""
import argparse
import os
import re
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import clang  # noqa: E402
import deploy  # noqa: E402
import state  # noqa: E402
import structure  # noqa: E402
import words  # noqa: E402
from tree import Tree  # noqa: E402

CHECKS = (structure.floors, structure.doors, structure.functions, structure.length, structure.sql, words.words,
          state.state, deploy.units, deploy.settings, deploy.compose, clang.layout, clang.tidy)


def exceptions(tree):
    path = "tests/lint/exceptions"
    listed = {}
    for line in tree.text(path).splitlines() if path in tree.files() else ():
        if line.strip() and not line.startswith("#"):
            check, where, reason = line.split(None, 2)
            listed[check, where] = reason
    return listed


def run(check, tree, excepted):
    name, used, bad = check.__name__, set(), 0
    started = time.monotonic()
    for path, line, text in check(tree):
        detail = re.search(r"\[([\w.-]+)(,[^\]]*)?\]$", text)
        key = (f"{name}/{detail[1]}" if detail else name, path)
        if key in excepted:
            used.add(key)
            continue
        print(f"{path}:{line}: {text} [{name}]", flush=True)
        bad += 1
    for key in excepted.keys() - used:
        if key[0].split("/")[0] == name:
            print(f"tests/lint/exceptions: {key[1]} needs no exception any more [{key[0]}]")
            bad += 1
    print(f"lint: {name}: {'ok' if bad == 0 else f'{bad} found'} ({time.monotonic() - started:.1f} s)", flush=True)
    return bad == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("checks", nargs="*")
    arguments = parser.parse_args()
    tree = Tree(os.path.dirname(os.path.dirname(HERE)), os.path.abspath(arguments.build))
    excepted = exceptions(tree)
    chosen = [c for c in CHECKS if not arguments.checks or c.__name__ in arguments.checks]
    passed = sum(run(check, tree, excepted) for check in chosen)
    print(f"{passed} passed, {len(chosen) - passed} failed")
    sys.exit(0 if chosen and passed == len(chosen) else 1)


if __name__ == "__main__":
    main()
