#!/usr/bin/env python3
"""Checks the gradients of every differentiable op against central differences in f64, at -O0 and -O3.

usage: run.py [--filter REGEX] [--opt-level N] [--verbose] [--table FILE [--check]]
  --table FILE   writes what was checked to FILE; with --check fails when the file is stale

The cases (cases.py) are put into a few functions, each with the loss sum(f(x) * r) for random r and its gradient, and compiled
as any model. All cases of a function are moved by one element at a time together, so that a library runs as often as its
largest case has elements. Error: |gradient - difference| over the largest difference of the operand.
"""
import argparse
import collections
import concurrent.futures
import ctypes
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

import cases
import recurrent  # adds its cases

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
OPT = os.path.join(os.environ.get("MLC_BIN", os.path.join(ROOT, "build", "release", "bin")), "mlc-opt")
os.environ.setdefault("MLC_CACHE_DIR", os.path.join(ROOT, "build", "test-cache"))  # not the user's
DTYPES = {"float64": 11, "int64": 7, "int32": 6, "bool": 9, "int8": 3}
STEP = 2.0**-17  # so that sums with short numbers are exact
CASES_PER_FUNCTION = 60


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("sizes", ctypes.POINTER(ctypes.c_int64)), ("bytes", ctypes.c_uint64),
                ("rank", ctypes.c_uint32), ("dtype", ctypes.c_uint32)]


class Status(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int32), ("message", ctypes.c_char_p)]


class Api(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("struct_size", ctypes.c_uint32), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p),
                ("inputs", ctypes.c_void_p), ("outputs", ctypes.c_void_p), ("symbols", ctypes.c_void_p), ("num_inputs", ctypes.c_uint32),
                ("num_outputs", ctypes.c_uint32), ("num_symbols", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
                ("create", ctypes.CFUNCTYPE(Status, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p))),
                ("run", ctypes.CFUNCTYPE(Status, ctypes.c_void_p, ctypes.POINTER(Tensor), ctypes.POINTER(Tensor)))]


class Library:
    """A compiled function; its arguments and results are arrays."""

    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.library.mlc_library_api.restype = ctypes.POINTER(Api)
        self.api = self.library.mlc_library_api().contents
        self.model = ctypes.c_void_p()
        self.check(self.api.create(None, ctypes.byref(self.model)))

    @staticmethod
    def check(status):
        if status.code:
            sys.exit(f"a run failed: {status.message.decode()}")

    def __call__(self, arrays):
        inputs, keep = (Tensor * len(arrays))(), []
        for tensor, array in zip(inputs, arrays):
            array = np.ascontiguousarray(array).reshape(array.shape)
            keep.append((array, (ctypes.c_int64 * max(1, array.ndim))(*array.shape)))
            tensor.data, tensor.sizes, tensor.rank, tensor.dtype = array.ctypes.data, keep[-1][1], array.ndim, DTYPES[str(array.dtype)]
        outputs = (Tensor * self.api.num_outputs)()
        self.check(self.api.run(self.model, inputs, outputs))
        results = []
        for tensor in outputs:
            shape = tuple(tensor.sizes[i] for i in range(tensor.rank))
            count = int(np.prod(shape))
            flat = np.ctypeslib.as_array(ctypes.cast(tensor.data, ctypes.POINTER(ctypes.c_double)), (count,)) if count else np.zeros(0)
            results.append(flat.reshape(shape).copy())
        return results


def types_of(case):
    """The types of the differentiated inputs and of the others."""
    if case.kinds:
        return case.kinds, [cases.types([array], False) for array in case.others]
    listed = []
    for array in [*case.inputs, *map(np.asarray, case.others)]:
        is_dynamic = case.dynamic or case.symbols is not None
        # The window of a convolution is static, and so is the length of a mask.
        is_fixed = case.op == "conv" and array is case.inputs[1] or case.op == "reduce_by_mask" and array.dtype == bool
        listed.append(cases.types([array], is_dynamic and not is_fixed))
    return listed[:len(case.inputs)], listed[len(case.inputs):]


def write_function(group):
    """One function with the loss and the gradients of every case, and its arguments."""
    arguments, body, results, types, arrays = [], [], [], [], []
    for number, case in enumerate(group):
        inputs, others = types_of(case)
        text = case.lines if isinstance(case.lines, str) else case.lines()
        defining = next(line for line in text.split("\n") if re.match(r"%y\b", line))
        result = re.search(r"-> \(?(tensor<[^>]*>)", defining).group(1)
        r_type = cases.tensor(case.shape, "?" in result)
        names = [f"%x{i}" for i in range(len(inputs))] + [f"%i{i}" for i in range(len(others))] + ["%r"]
        for name, kind in zip(names, [*inputs, *others, r_type]):
            symbols = ""
            if case.symbols and name.startswith("%x"):
                quoted = ", ".join(f'"{symbol}{number}"' for symbol in case.symbols[int(name[2:])])
                symbols = f" {{mlc.symbols = [{quoted}]}}"
            arguments.append(f"%c{number}_{name[1:]}: {kind}{symbols}")
        lines = text.split("\n")
        lines.append(f"%t = graph.mul %y, %r : ({result}, {r_type}) -> {result}")
        lines.append(f"%l = graph.reduce sum %t {{axes = {cases.ints(range(len(case.shape)))}}} : ({result}) -> tensor<f64>")
        wrt = [f"%x{i}" for i in range(len(inputs))]
        gradients = [f"%g{i}" for i in range(len(inputs))]
        lines.append(f"{', '.join(gradients)} = train.gradient %l wrt {', '.join(wrt)} : (tensor<f64>, {', '.join(inputs)}) -> "
                     + (inputs[0] if len(inputs) == 1 else f"({', '.join(inputs)})"))
        rename = lambda text: re.sub(r"%(\w+)", rf"%c{number}_\1", text)
        body += [rename(line) for line in lines]
        results += [rename(name) for name in ["%l", *gradients]]
        types += ["tensor<f64>", *inputs]
        weights = np.ones(case.shape) if case.expected else np.random.default_rng(number).uniform(0.5, 1.5, case.shape)
        arrays += [*case.inputs, *map(np.asarray, case.others), weights]
    text = (f"func.func @f({', '.join(arguments)}) -> ({', '.join(types)}) {{\n  " + "\n  ".join(body)
            + f"\n  return {', '.join(results)} : {', '.join(types)}\n}}\n")
    return text, arrays


def places(group):
    """The first argument and the first result of each case."""
    argument = result = 0
    for case in group:
        yield argument, result
        argument += len(case.inputs) + len(case.others) + 1
        result += 1 + len(case.inputs)


def differences(library, group, arrays):
    """The derivatives of the losses by central differences, an array an input."""
    found = [[np.zeros(x.shape) for x in case.inputs] for case in group]
    sizes = [[x.size for x in case.inputs] for case in group]
    for step in range(max(map(sum, sizes))):
        losses = []
        for sign in (1, -1):
            moved = list(arrays)
            for case, size, (argument, _) in zip(group, sizes, places(group)):
                index = step
                for i, count in enumerate(size):
                    if 0 <= index < count:
                        moved[argument + i] = arrays[argument + i].copy()
                        moved[argument + i].flat[index] += sign * STEP
                    index -= count
            losses.append(library(moved))
        for size, of_case, (_, result) in zip(sizes, found, places(group)):
            index = step
            for i, count in enumerate(size):
                if 0 <= index < count:
                    of_case[i].flat[index] = (losses[0][result] - losses[1][result]) / (2 * STEP)
                index -= count
    return found


def compile_function(folder, name, text, level):
    source, library = os.path.join(folder, name + ".mlir"), os.path.join(folder, f"lib{name}_{level}.so")
    with open(source, "w") as file:
        file.write(text)
    done = subprocess.run([OPT, source, "-o", library, f"-O{level}", "--mcpu=native"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"cannot compile {name}:\n{done.stderr[-4000:]}")
    return library


def measure(selected, levels):
    """The largest relative error of each case over the levels and its inputs."""
    groups = [selected[i:i + CASES_PER_FUNCTION] for i in range(0, len(selected), CASES_PER_FUNCTION)]
    errors = []
    with tempfile.TemporaryDirectory(prefix="mlc-gradients-") as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        written = [write_function(group) for group in groups]
        libraries = [[pool.submit(compile_function, folder, f"f{number}", text, level) for level in levels]
                     for number, (text, _) in enumerate(written)]
        for group, (_, arrays), compiled in zip(groups, written, libraries):
            loaded = [Library(library.result()) for library in compiled]
            exact = [case.expected or found for case, found in zip(group, differences(loaded[0], group, arrays))]
            got = [library(arrays) for library in loaded]
            for case, expected, (_, result) in zip(group, exact, places(group)):
                worst = 0.0
                for results in got:
                    for i, difference in enumerate(expected):
                        scale = np.abs(difference).max(initial=0) or 1.0  # where all is zero, nothing is relative
                        error = np.abs(results[result + 1 + i] - difference).max(initial=0) / scale
                        worst = max(worst, np.inf if np.isnan(error) else error)
                errors.append(worst)
    return errors


def write_table(selected):
    """A row for each op and variant."""
    rows = collections.OrderedDict()
    for case in selected:
        shapes = ", ".join("×".join(map(str, x.shape)) or "scalar" for x in case.inputs)
        if case.dynamic:
            shapes += " (sizes unknown)"
        elif case.symbols:
            shapes += " (sizes by name)"
        row = rows.setdefault((case.op, case.variant), ([], [], case.bound))
        row[0].append(shapes)
        if case.note and case.note not in row[1]:
            row[1].append(case.note)
    lines = ["# Gradients", "",
             "What `test/gradients/run.py` checks, and writes: the gradients of every differentiable op against central differences in f64, compiled at",
             "`-O0` and `-O3`. The error is that of the gradient over the largest difference of an operand; every row stays below its bound. The ops are",
             "those of the [graph dialect](Reference.md), and LSTM, GRU and RNN as ONNX has them; [Autodiff.md](Autodiff.md) tells how derivatives are made.", "",
             "| op | variant | shapes | error below | the derivative |", "|---|---|---|---|---|"]
    for (op, variant), (shapes, notes, bound) in rows.items():
        lines.append(f"| `{op}` | {variant} | {'; '.join(shapes)} | {bound:.0e} | {'; '.join(notes)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filter", default="")
    parser.add_argument("--opt-level", type=int)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--table")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    selected = [case for case in cases.CASES if re.search(options.filter, f"{case.op} {case.variant}")]
    if options.table:
        text = write_table(cases.CASES)
        if options.check:
            with open(options.table) as file:
                if file.read() != text:
                    sys.exit(f"{options.table} is stale; run test/gradients/run.py --table {options.table}")
        else:
            with open(options.table, "w") as file:
                file.write(text)
    levels = [0, 3] if options.opt_level is None else [options.opt_level]
    errors = measure(selected, levels)
    failed = 0
    for case, error in zip(selected, errors):
        if options.verbose or not error < case.bound:
            print(f"{case.op}, {case.variant}, {[x.shape for x in case.inputs]}: error {error:.1e}")
        failed += not error < case.bound
    print(f"{len({case.op for case in selected})} ops, largest error {max(errors):.1e}")
    print(f"{len(selected) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
