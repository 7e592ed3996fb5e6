#!/usr/bin/python3
"""Runs the tests that were built and counts them: the last line is "N passed, N failed".

    run.py --build FOLDER [--unit] [--integration] [-- pytest's options]
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))


def run_unit(build):
    """The check(3) program; a crash of the program itself is a failure more."""
    environment = dict(os.environ)
    environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    process = subprocess.Popen([os.path.join(build, "tests", "unit-tests")], stdout=subprocess.PIPE,
                               env=environment, text=True, errors="replace")
    passed = failed = 0
    for line in process.stdout:
        print(line, end="", flush=True)
        found = re.match(r"unit: (\d+) passed, (\d+) failed", line)
        if found:
            passed, failed = int(found[1]), int(found[2])
    if process.wait() != 0 and failed == 0:
        print(f"unit-tests ended with {process.returncode}")
        failed = 1
    return passed, failed, 0


def run_integration(build, options):
    environment = dict(os.environ, PAYBELL_BIN=os.path.abspath(os.path.join(build, "bin")))
    with tempfile.TemporaryDirectory(prefix="paybell-report-") as folder:
        report = os.path.join(folder, "junit.xml")
        code = subprocess.call(
            ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rfEs", "--durations=5",
             f"--junitxml={report}", os.path.join(HERE, "integration"), *options], env=environment)
        if not os.path.exists(report):
            print(f"pytest ended with {code}, without a report")
            return 0, 1, 0
        passed, failed, skipped = count_report(report)
    if code != 0 and failed == 0:
        failed = 1  # nothing was collected, or pytest itself failed
    return passed, failed, skipped


def count_report(path):
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--unit", action="store_true")
    parser.add_argument("--integration", action="store_true")
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_args()
    totals = [0, 0, 0]
    for wanted, run in ((arguments.unit, lambda: run_unit(arguments.build)),
                        (arguments.integration, lambda: run_integration(arguments.build, arguments.options))):
        if wanted:
            totals = [a + b for a, b in zip(totals, run())]
    passed, failed, skipped = totals
    if passed + failed == 0:
        failed = 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""), flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
