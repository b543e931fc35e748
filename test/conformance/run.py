#!/usr/bin/env python3
"""Replays the backend tests of the onnx package through mlc-opt and mlc-run.

Each test runs in three modes: `static` as it is, `dynamic` with every input size symbolic, `constant` with every input an
initializer. Two more modes, `export` and `export-dynamic`, write the model as ONNX again (`--emit=onnx`): the checker of
the onnx package takes it, and both another engine and mlc compute what the test expects; tests that are expected to fail
without the export are left out. What is expected to fail stands in expected_failures.txt, one `mode test: reason` a line;
the list is strict: a test that passes although it is listed fails the run until it is promoted (`--update` rewrites the
list).

usage: run.py [--bin DIR] [--mode MODE]… [--filter REGEX] [--jobs N] [--opt-level N] [--update] [--operators FILE [--check]]
"""
import argparse
import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np
import onnx
from onnx import numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
MODES = ("static", "dynamic", "constant")
EXPORTS = {"export": "static", "export-dynamic": "dynamic"}  # and the mode that imports the same model
RTOL, ATOL = 1e-3, 1e-7


def collect():
    """All tests: name -> folder, or for the light models the model file."""
    tests = {}
    for kind in ("node", "simple", "pytorch-converted", "pytorch-operator"):
        for name in sorted(os.listdir(os.path.join(DATA, kind))):
            tests[name] = os.path.join(DATA, kind, name)
    light = os.path.join(DATA, "light")
    for name in sorted(os.listdir(light)):
        if name.endswith(".onnx"):
            tests[name[:-5]] = os.path.join(light, name)
    return tests


class Unsupported(Exception):
    """The test uses what cannot be a tensor file (sequences, optionals, strings)."""


def to_array(proto_path, value_info):
    if not value_info.type.HasField("tensor_type"):
        raise Unsupported("not a dense tensor: " + value_info.type.WhichOneof("value"))
    tensor = onnx.TensorProto()
    with open(proto_path, "rb") as file:
        tensor.ParseFromString(file.read())
    if tensor.data_type == onnx.TensorProto.STRING:
        raise Unsupported("strings")
    return tensor, numpy_helper.to_array(tensor)


def data_sets(path, model):
    """Yields (inputs, outputs) as lists of (name, TensorProto, array)."""
    graph = model.graph
    initialized = {t.name for t in graph.initializer}
    free = [i for i in graph.input if i.name not in initialized]
    if path.endswith(".onnx"):
        info = free[0]
        shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
        count = int(np.prod(shape))
        array = (np.arange(count).reshape(shape) / count).astype(np.float32)
        tensor, expected = to_array(path[:-5] + "_output_0.pb", graph.output[0])
        yield [(info.name, numpy_helper.from_array(array, info.name), array)], [(graph.output[0].name, tensor, expected)]
        return
    number = 0
    while os.path.isdir(os.path.join(path, f"test_data_set_{number}")):
        folder = os.path.join(path, f"test_data_set_{number}")
        sides = []
        for infos, prefix in ((graph.input, "input"), (graph.output, "output")):
            side = []
            for index, info in enumerate(infos):
                file = os.path.join(folder, f"{prefix}_{index}.pb")
                if os.path.exists(file):
                    side.append((info.name,) + to_array(file, info))
            sides.append(side)
        yield sides
        number += 1


def make_dynamic(model):
    """Every size of every input becomes a symbol of its own; declared shapes inside are dropped, ranks of outputs stay."""
    graph = model.graph
    initialized = {t.name for t in graph.initializer}
    for info in graph.input:
        if info.name in initialized:
            continue
        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
            dim.dim_param = f"{info.name}_d{axis}"
    for info in graph.output:
        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
            dim.dim_param = f"{info.name}_o{axis}"
    del graph.value_info[:]


def make_constant(model, inputs):
    """Every input becomes an initializer."""
    names = {name for name, _, _ in inputs}
    for name, tensor, _ in inputs:
        copy = model.graph.initializer.add()
        copy.CopyFrom(tensor)
        copy.name = name
    kept = [info for info in model.graph.input if info.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def file_name(name):
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", name)


def save_npy(path, array):
    if array.dtype == ml_dtypes.bfloat16:
        array = array.view(np.dtype("V2"))
    np.save(path, array)


def load_npy(path):
    array = np.load(path)
    return array.view(ml_dtypes.bfloat16) if array.dtype == np.dtype("V2") else array


def invoke(command, limit):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=limit, text=True, errors="replace")
    if done.returncode:
        text = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise AssertionError(f"{os.path.basename(command[0])} exit {done.returncode}: {text[0] if text else ''}")


def compare(name, actual, expected):
    if actual.dtype != expected.dtype:
        raise AssertionError(f"output {name}: expected {expected.dtype}, but got {actual.dtype}")
    if actual.shape != expected.shape:
        raise AssertionError(f"output {name}: expected shape {expected.shape}, but got {actual.shape}")
    if expected.dtype.kind not in "biu":
        actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    np.testing.assert_allclose(actual, expected, rtol=RTOL, atol=ATOL)


def run_in_onnxruntime(path, feeds, names):
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"]).run(names, feeds)


def run_in_reference(path, feeds, names):
    from onnx.reference import ReferenceEvaluator
    return ReferenceEvaluator(path).run(names, feeds)


def export(source, inputs, outputs, folder, options):
    """Writes the model as ONNX again, checks it and runs it: in ONNX Runtime, or where that has no kernel or other ideas (which are its
    own, as the source is a test of ONNX's) in the evaluator of the onnx package. Returns its path."""
    exported = os.path.join(folder, "exported.onnx")
    invoke([options.opt, source, "-o", exported], 300)
    try:
        onnx.checker.check_model(exported, full_check=True)
    except Exception as error:
        raise AssertionError("onnx.checker: " + str(error)) from None
    names = [name for name, _, _ in outputs]
    feeds = {name: np.asarray(array) for name, _, array in inputs}
    problems = []
    for engine in (run_in_onnxruntime, run_in_reference):
        try:
            for (name, _, expected), actual in zip(outputs, engine(exported, feeds, names)):
                compare(name, np.asarray(actual), np.asarray(expected))
            return exported
        except Exception as error:
            problems.append(f"{engine.__name__}: {error}")
    raise AssertionError(problems[0])


def replay(test, path, mode, options):
    """Runs one test; returns None when it passes and the reason otherwise."""
    folder = tempfile.mkdtemp(prefix="mlc-conformance-")
    try:
        model_path = path if path.endswith(".onnx") else os.path.join(path, "model.onnx")
        original = onnx.load(model_path)
        for number, (inputs, outputs) in enumerate(data_sets(path, original)):
            library = os.path.join(folder, "libmodel.so")
            if mode == "constant" or number == 0:
                if EXPORTS.get(mode, mode) == "static":
                    source = model_path
                else:
                    model = onnx.ModelProto()
                    model.CopyFrom(original)
                    make_constant(model, inputs) if mode == "constant" else make_dynamic(model)
                    source = os.path.join(folder, "model.onnx")
                    onnx.save(model, source)
                if mode in EXPORTS:
                    source = export(source, inputs, outputs, folder, options)
                invoke([options.opt, source, "-o", library, f"-O{options.opt_level}"], 300)
            command = [options.run, library, "--output-dir", os.path.join(folder, "out")]
            for index, (name, _, array) in enumerate(inputs):
                if mode == "constant":
                    break
                file = os.path.join(folder, f"in{index}.npy")
                save_npy(file, array)
                command += ["--input", f"{name}={file}"]
            invoke(command, 300)
            for name, _, expected in outputs:
                compare(name, load_npy(os.path.join(folder, "out", file_name(name) + ".npy")), np.asarray(expected))
        return None
    except Unsupported as error:
        return "unsupported by the runner: " + str(error)
    except AssertionError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = " ".join(lines[:3]).replace(folder + "/", "").replace(path + "/", "")
        return text[:300]
    except subprocess.TimeoutExpired:
        return "timed out"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def expected_path():
    return os.path.join(HERE, "expected_failures.txt")


def read_expected():
    expected = {}
    if os.path.exists(expected_path()):
        with open(expected_path()) as file:
            for line in file:
                line = line.rstrip("\n")
                if line and not line.startswith("#"):
                    key, _, reason = line.partition(": ")
                    expected[tuple(key.split(" "))] = reason
    return expected


def operators_table(results, tests):
    """docs/Operators.md: for every operator of the tests, how many pass in each mode."""
    uses = collections.defaultdict(set)
    for test, path in tests.items():
        model = onnx.load(path if path.endswith(".onnx") else os.path.join(path, "model.onnx"), load_external_data=False)
        for node in model.graph.node:
            uses[(node.domain + "." if node.domain and node.domain != "ai.onnx" else "") + node.op_type].add(test)
    lines = ["# Operators", "",
             "Generated by `test/conformance/run.py --operators docs/Operators.md` from the backend tests of onnx " + onnx.__version__ +
             "; do not edit.", "",
             "For every operator that a test uses: how many of its tests pass with static sizes, with every size dynamic, and with every input",
             "a constant.", "", "| operator | tests | static | dynamic | constant |", "|---|---:|---:|---:|---:|"]
    for op in sorted(uses):
        row = [sum(1 for test in uses[op] if results.get((mode, test), "") is None) for mode in MODES]
        lines.append(f"| {op} | {len(uses[op])} | {row[0]} | {row[1]} | {row[2]} |")
    totals = [sum(1 for (m, _), reason in results.items() if m == mode and reason is None) for mode in MODES]
    lines.append(f"| **all** | {len(tests)} | {totals[0]} | {totals[1]} | {totals[2]} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(HERE, "..", "..", "build", "release", "bin"))
    parser.add_argument("--mode", action="append", choices=MODES + tuple(EXPORTS))
    parser.add_argument("--filter", default="")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--opt-level", type=int, default=3)
    parser.add_argument("--update", action="store_true", help="rewrite the list of expected failures")
    parser.add_argument("--operators", help="write (or with --check compare) the table of operators")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    options.opt = os.path.join(options.bin, "mlc-opt")
    options.run = os.path.join(options.bin, "mlc-run")
    tests = {name: path for name, path in collect().items() if re.search(options.filter, name)}
    modes = options.mode or MODES
    expected = read_expected()
    results = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(replay, test, path, mode, options): (mode, test) for mode in modes for test, path in tests.items()
                   if mode not in EXPORTS or (EXPORTS[mode], test) not in expected}
        for future in concurrent.futures.as_completed(futures):
            results[futures[future]] = future.result()
    if options.update:
        merged = {key: reason for key, reason in expected.items() if key not in results}
        merged.update({key: reason for key, reason in results.items() if reason is not None})
        with open(expected_path(), "w") as file:
            file.write("# Tests that are expected to fail, `mode test: reason`; strict. Rewrite with test/conformance/run.py --update.\n")
            for key in sorted(merged):
                file.write(f"{key[0]} {key[1]}: {merged[key]}\n")
        expected = merged
    wrong = 0
    for key in sorted(results):
        reason = results[key]
        if reason is not None and key not in expected:
            wrong += 1
            print(f"FAIL {key[0]} {key[1]}: {reason}")
        elif reason is None and key in expected:
            wrong += 1
            print(f"UNEXPECTED PASS {key[0]} {key[1]}: promote it (test/conformance/run.py --update)")
        elif reason is not None and options.verbose:
            print(f"expected failure {key[0]} {key[1]}: {reason}")
    if options.operators:
        table = operators_table(results, tests)
        if options.check:
            with open(options.operators) as file:
                if file.read() != table:
                    wrong += 1
                    print(f"STALE {options.operators}: run test/conformance/run.py --operators {options.operators}")
        else:
            with open(options.operators, "w") as file:
                file.write(table)
    for mode in modes:
        passed = sum(1 for (m, _), reason in results.items() if m == mode and reason is None)
        print(f"{mode}: {passed} of {sum(1 for m, _ in results if m == mode)} pass")
    good = len(results) - wrong
    print(f"conformance: {good} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
