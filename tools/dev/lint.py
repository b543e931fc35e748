#!/usr/bin/env python3
"""Checks the rules of the house that no compiler checks. Prints what breaks one, with the way to fix it.

 - a pass, its file, its flag and its test carry one name
 - every error that a dialect or a pass emits is expected by some test
 - includes point one way: include <- runtime; dialects <- passes <- lib <- tools
 - no source file is longer than 800 lines, and no main longer than 150
 - public headers document every function and struct
 - no vague names for files (Utils, Helpers, Common, Misc)
"""
import os
import re
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
os.chdir(ROOT)
problems = []
checks = 0


def problem(text):
    problems.append(text)


def files(*suffixes):
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True, check=True).stdout.split("\n")
    return [f for f in listed if f.endswith(suffixes) and os.path.exists(f)]


def read(path):
    with open(path) as file:
        return file.read()


def kebab(name):
    name = name.replace("LLVM", "Llvm")
    return re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower()


def check_passes():
    global checks
    for td in files("Passes.td"):
        folder = os.path.dirname(td)
        stage = os.path.basename(folder)
        for name, flag in re.findall(r'def (\w+)Pass : Pass<"([\w-]+)"', read(td)):
            checks += 1
            if kebab(name) != flag:
                problem(f"{td}: the flag of {name}Pass should be --{kebab(name)}, but is --{flag}")
            file = name if stage == "Conversion" else name[len(stage):]
            found = [f for f in files(file + ".cpp") if f.startswith(folder + "/")]
            if not found:
                problem(f"{td}: {name}Pass should be in {folder}/{file}.cpp")
            test = f"test/{folder}/{flag}.mlir"
            if not os.path.exists(test):
                problem(f"{td}: {name}Pass has no test {test}")
            elif "--" + flag not in read(test):
                problem(f"{test}: does not run --{flag}")


def check_errors():
    """The constant parts of every emitted message stand in an expected-error of some test."""
    global checks
    expected = "\n".join(read(f) for f in files(".mlir") if f.startswith("test/"))
    expected = "\n".join(re.findall(r"expected-error.*\{\{(.*)\}\}", expected))
    for path in files(".cpp"):
        if not path.startswith(("dialects/", "passes/")):
            continue
        for match in re.finditer(r'emit(?:Op)?Error\("([^"]+)"', read(path)):
            checks += 1
            text = match.group(1).strip()
            if text not in expected and not any(line.startswith(text) for line in expected.split("\n")):
                line = read(path)[: match.start()].count("\n") + 1
                problem(f"{path}:{line}: no test expects '{text}'; add one to the .mlir test of this file")


LAYERS = {"include": set(), "runtime": {"mlc", "runtime"}, "dialects": {"dialects", "mlc"}, "passes": {"dialects", "passes", "mlc"},
          "lib": {"dialects", "passes", "lib", "mlc"}}

# The compiler initializes weights as a training executable does, and reads those that one has written.
SHARED = {"runtime/train/Initializers.h", "runtime/train/Safetensors.h"}


def check_includes():
    global checks
    for path in files(".cpp", ".h", ".c"):
        layer = path.split("/")[0]
        if layer not in LAYERS:
            continue
        for include in re.findall(r'#include "([^"]+)"', read(path)):
            top = include.split("/")[0]
            if top in ("dialects", "passes", "lib", "tools", "runtime", "test"):
                checks += 1
                shared = layer == "lib" and include in SHARED
                if top not in LAYERS[layer] and not shared:
                    problem(f"{path}: {layer}/ must not include {include}")
                if layer == "lib" and include.startswith("lib/Driver/") and not path.startswith("lib/Driver/"):
                    problem(f"{path}: the driver is above the other libraries")
        if layer == "runtime" and re.search(r'#include "(llvm|mlir)/', read(path)):
            problem(f"{path}: no LLVM in the runtime")


def check_sizes():
    global checks
    for path in files(".cpp", ".h", ".c", ".td", ".py"):
        checks += 1
        lines = read(path).count("\n")
        if lines > 800:
            problem(f"{path}: {lines} lines; split it by family (at most 800)")
        if path.startswith("tools/") and path.endswith("main.cpp") and lines > 150:
            problem(f"{path}: a main of {lines} lines; move what it does to a file of its own (at most 150)")
        if re.search(r"(Utils|Helpers|Common|Misc)\.\w+$", path):
            problem(f"{path}: name the file after what is in it")


def check_docstrings():
    """Every declaration at the start of a line in include/mlc has a comment above it or behind it."""
    global checks
    for path in files(".h"):
        if not path.startswith("include/mlc/"):
            continue
        lines = read(path).split("\n")
        for i, line in enumerate(lines):
            if not re.match(r"(typedef struct \w+ \{|typedef enum \w+ \{|(const )?\w+ \*?\w+\(.*\);)", line):
                continue
            checks += 1
            above = i - 1
            while above >= 0 and (not lines[above].strip() or lines[above].startswith(("#", "__attribute__")) or re.match(r"\w.*\);$", lines[above])):
                if not lines[above].strip():
                    break
                above -= 1
            if not lines[above].rstrip().endswith("*/"):
                problem(f"{path}:{i + 1}: no docstring above '{line.strip()}'")


def check_places():
    """Nothing refers to the places where it was written."""
    global checks
    for path in files("", ):
        if not os.path.isfile(path) or path.endswith((".pb", ".onnx")):
            continue
        checks += 1
        try:
            text = read(path)
        except UnicodeDecodeError:
            problem(f"{path}: not text; generate it instead of committing it")
            continue
        if re.search(r"/wor" + r"k/|pypi\.or" + r"g|deb\.debia" + r"n\.org", text):
            problem(f"{path}: names a place that is not everywhere")


def main():
    for check in (check_passes, check_errors, check_includes, check_sizes, check_docstrings, check_places):
        check()
    for text in problems:
        print("lint: " + text)
    print(f"lint: {max(0, checks - len(problems))} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
