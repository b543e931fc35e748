#!/usr/bin/env python3
"""Runs the integration tests, one class at a time on each processor, and ends with `N passed, M failed`.

usage: run.py [--jobs N] [NAME…]     names as unittest takes them: a module, test_math, or a class, test_training.Checkpoints
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def classes(suite):
    """The names of all test classes, in order; a module that cannot be imported is the name of its error."""
    names = {}
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            names.update(dict.fromkeys(classes(test)))
        elif type(test).__module__ == "unittest.loader":
            names[test.id().rpartition(".")[2]] = None
        else:
            names[f"{type(test).__module__}.{type(test).__qualname__}"] = None
    return list(names)


def run(name):
    """Runs a class; returns its name, how many tests ran and failed, seconds, and what it said."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "unittest", "-v", name], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    ran = re.search(r"^Ran (\d+) tests? in", done.stdout, re.M)
    bad = sum(map(int, re.findall(r"(?:failures|errors|unexpected successes)=(\d+)", done.stdout.splitlines()[-1] if done.stdout else "")))
    # A class that dies is a failure, whatever it said before.
    ran = int(ran.group(1)) if ran else 0
    bad = min(max(bad, 1), max(ran, 1)) if done.returncode else bad
    return name, max(ran, bad), bad, time.monotonic() - start, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    sys.path.insert(0, HERE)
    loader = unittest.TestLoader()
    names = classes(loader.loadTestsFromNames(options.names) if options.names else loader.discover(HERE))
    # The longest first, as far as one can see: those of whole trainings.
    names.sort(key=lambda name: "training" not in name and "pytorch" not in name)
    tests = failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name, ran, bad, seconds, output in pool.map(run, names):
            print(output, f"{name}: {ran} tests, {bad} failed, {seconds:.0f} s", sep="\n", flush=True)
            tests, failed = tests + ran, failed + bad
    print(f"{tests - failed} passed, {failed} failed")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
