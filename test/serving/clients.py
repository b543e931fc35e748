#!/usr/bin/env python3
"""Runs the tests that need clients of other projects, each in a Python environment of its own below build/clients, since
their packages do not go together. Environments are made where they are missing. usage: clients.py [NAME…]"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.join(HERE, "..", "..", "build", "clients")

# By environment: the arguments of each `pip install`, and the tests that run in it.
ENVIRONMENTS = {
    # The stubs ask for the package tensorflow; the same without GPUs is much smaller.
    "tensorflow": ([["tensorflow-cpu==2.21.*"], ["--no-deps", "tensorflow-serving-api==2.21.*"]],
                   ["test_tensorflow_serving_api", "test_wire"]),
    "triton": ([["tritonclient[http,grpc]==2.73.*"]], ["test_tritonclient_http", "test_tritonclient_grpc", "test_wire"]),
    "kserve": ([["kserve==0.21.*"]], ["test_kserve_rest", "test_kserve_grpc", "test_wire"]),
    # No client but curl, sockets, a browser and a balancer.
    "plain": ([], ["test_tensorflow_rest", "test_command", "test_page", "test_rolling", "test_lifecycle"]),
}


def prepare(name, installs):
    """Makes an environment, or takes the one of the same packages; returns its Python."""
    folder = os.path.join(CLIENTS, name)
    python, mark = os.path.join(folder, "bin", "python"), os.path.join(folder, ".wanted")
    wanted = repr(installs)
    if os.path.exists(mark) and open(mark).read() == wanted:
        return python
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    for arguments in installs:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments], check=True)
    with open(mark, "w") as file:
        file.write(wanted)
    return python


def main(names):
    passed = failed = 0
    for name in names or ENVIRONMENTS:
        installs, tests = ENVIRONMENTS[name]
        python = prepare(name, installs)
        tests = [test for test in tests if os.path.exists(os.path.join(HERE, test + ".py"))]
        print(f"{name}: {' '.join(tests)}", flush=True)
        for test in tests:  # a process each
            environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
            done = subprocess.run([python, "-m", "unittest", test], cwd=HERE, env=environment, stderr=subprocess.PIPE, text=True, check=False)
            print(done.stderr, flush=True)
            ran = re.search(r"^Ran (\d+) test", done.stderr, re.MULTILINE)
            bad = sum(map(int, re.findall(r"(?:failures|errors)=(\d+)", done.stderr))) or int(done.returncode != 0)
            failed += bad
            passed += max(int(ran[1]) - bad, 0) if ran else 0
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
