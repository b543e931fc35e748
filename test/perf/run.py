#!/usr/bin/env python3
"""Races libraries compiled by mlc against oneDNN, ONNX Runtime and OpenVINO, and says how near the processor's peak they come.

A ratio is the peer's time over ours, the median over pairs: above 1 we are faster. README.md beside this file says how to read the
table and what is done against noise.

usage: run.py --setup
       run.py [--suite SUITE]… [--filter REGEX] [--peers A,B] [--threads N] [--rounds N] [--seconds S] [MODEL.onnx …]

Exit status: 0; 1 where an answer is wrong, a tool crashes or a floor (--min-each, --min-geomean) is missed; 2 for wrong usage.
"""
import argparse
import json
import math
import os
import platform
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time

import environment

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ("onednn", "onednn-plain", "ort", "openvino")
STEADY = 0.95  # of the best probe, and of its turn that a thread may use; a pair that had less is discarded


class Unsupported(Exception):
    """An engine does not take the case; the table says why."""


class Failure(Exception):
    """A tool crashed or an answer is wrong."""


# -- processes ------------------------------------------------------------------------------------------------------------

def scheduling(pid):
    """Seconds that each thread ran, and that it waited for a processor; empty where the kernel does not tell."""
    folder, result = f"/proc/{pid}/task", []
    try:
        for thread in os.listdir(folder):
            with open(os.path.join(folder, thread, "schedstat")) as file:
                ran, waited = file.read().split()[:2]
                result.append((int(ran) * 1e-9, int(waited) * 1e-9))
    except OSError:
        pass  # ended meanwhile
    return result


class Child:
    """A process on some processors that answers each line with one line."""

    def __init__(self, name, command, cpus):
        self.name = name
        environ = {**os.environ, "OMP_NUM_THREADS": str(len(cpus))}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env=environ, preexec_fn=lambda: os.sched_setaffinity(0, cpus))

    def read(self, limit=300):
        ready, _, _ = select.select([self.process.stdout], [], [], limit)
        line = self.process.stdout.readline().strip() if ready else ""
        if not line:
            self.process.kill()
            raise Failure(f"{self.name}: " + (f"exit {self.process.wait()}" if ready else f"no answer within {limit} s"))
        return line

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.write(line)
        return self.read()

    def bench(self, seconds):
        """The answer, with the largest share of the time that one of its threads waited for a processor."""
        waits, start = [waited for _, waited in scheduling(self.process.pid)], time.perf_counter()
        answer = json.loads(self.ask(str(seconds)))
        elapsed, after = time.perf_counter() - start, [waited for _, waited in scheduling(self.process.pid)]
        grown = [b - a for a, b in zip(waits, after)] if len(waits) == len(after) else []
        self.rest()
        return {**answer, "waited": max(grown, default=0.0) / elapsed}

    def rest(self):
        """Returns when no thread spins any longer: those of ONNX Runtime go on for 30 ms, and the next engine would share with them."""
        last, now = -1.0, 0.0
        for _ in range(40):
            now = sum(ran for ran, _ in scheduling(self.process.pid))
            if now - last < 0.0005:
                return
            last = now
            time.sleep(0.012)  # a tick of the slowest clock, until which the kernel's counts may lag

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()
        self.process.stdout.close()


class Probes:
    """Register-only multiply-adds on each processor: the peak, and whether the processors are as fast as they can be."""

    def __init__(self, cpus):
        program = environment.program("peak.c")
        self.children = [Child("peak", [program], {cpu}) for cpu in cpus]
        self.isa = self.children[0].ask("isa")
        measured = {precision: self.measure(precision, 0.3) for precision in ("f32", "bf16", "int8")}
        self.peak = {precision: best or None for precision, (best, _) in measured.items()}
        self.best = [0.0] * len(cpus)
        for _ in range(10):
            self.steady()

    def measure(self, precision, seconds):
        """10^9 operations a second of all processors together: the best of each, and the mean."""
        for child in self.children:
            child.write(f"{precision} {seconds}")
        answers = [list(map(float, child.read().split())) for child in self.children]
        return sum(best for best, _ in answers), sum(mean for _, mean in answers)

    def steady(self):
        """True when every processor does at least STEADY of what it did at best; always true where there is no probe."""
        for child in self.children:
            child.write("f32 0.005")
        means = [float(child.read().split()[1]) for child in self.children]
        self.best = [max(pair) for pair in zip(self.best, means)]
        return all(mean >= STEADY * best for mean, best in zip(means, self.best))


def start_peer(name, case, path, inputs, options):
    """A Child that is ready to be measured; raises Unsupported."""
    if name.startswith("onednn"):
        if not case.onednn or (name == "onednn-plain" and case.onednn[0] != "conv"):
            raise Unsupported("not a case for it")
        arguments = ["plain" if name == "onednn-plain" and a == "any" else a for a in case.onednn]
        try:
            child = Child(name, [environment.program("onednn.cpp"), *arguments], options.cpus)
        except RuntimeError as error:
            raise Unsupported(str(error)) from error
    else:
        hint = "bf16" if case.precision == "bf16" else "f32"
        command = [sys.executable, os.path.join(HERE, "worker.py"), name, path, inputs, str(options.threads), hint]
        child = Child(name, command, options.cpus)
    try:
        answer = child.read()
    except Failure as error:
        child.close()
        raise Unsupported(f"died: {error}") from error
    if not answer.startswith("ready"):
        child.close()
        raise Unsupported(answer.removeprefix("failed: "))
    child.version = answer.removeprefix("ready ")
    return child


# -- ours -----------------------------------------------------------------------------------------------------------------

def invoke(command, limit=600):
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failure(f"{os.path.basename(command[0])}: no end within {limit} s") from None
    words = [line for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()] or ["no message"]
    text = next((line for line in words if "error" in line), words[0]).strip()[:200]
    return done.returncode, text, done.stdout


def compile_ours(path, library, dims, shapes, options):
    flags = [f"--dim={name}={size}" for name, size in dims.items()]
    flags += [f"--shape={name}={'x'.join(map(str, sizes))}" for name, sizes in shapes.items()]
    start = time.perf_counter()
    # Without the cache: a kernel of yesterday's compiler must not be timed as today's.
    code, text, _ = invoke([options.opt, path, "-o", library, "--no-cache", *flags])
    if code < 0 or code > 2:
        raise Failure(f"mlc-opt: {'signal ' + str(-code) if code < 0 else 'exit ' + str(code)}: {text}")
    if code:
        raise Unsupported(text.removeprefix("mlc-opt:").replace(path + ":", "").strip())
    return time.perf_counter() - start


def check(case, path, library, arrays, flags, folder, options):
    """Largest error as a fraction of the tolerance; raises Failure above 1."""
    import numpy as np
    import onnx
    import tensors
    outputs = [value.name for value in onnx.load(path, load_external_data=False).graph.output]
    ours = os.path.join(folder, "out")
    code, text, _ = invoke([options.run, library, *flags, "--output-dir", ours, "--threads", str(options.threads)])
    if code:
        raise Failure(f"mlc-run: exit {code}: {text}")
    if case.reference:
        expected = case.reference(arrays)
    else:
        try:
            oracle = start_peer("ort", case, path, os.path.join(folder, "in"), options)
        except Unsupported as error:
            raise Failure(f"cannot check because ONNX Runtime says: {error}") from error
        oracle.ask("save " + folder)
        oracle.close()
        expected = [tensors.load(os.path.join(folder, f"{i}.npy")) for i in range(len(outputs))]
    worst = 0.0
    for name, want in zip(outputs, expected):
        got = tensors.load(os.path.join(ours, tensors.file_name(name)))
        if got.shape != want.shape or got.dtype != want.dtype:
            raise Failure(f"wrong: output {name}: expected {want.dtype}{list(want.shape)}, but got {got.dtype}{list(got.shape)}")
        got, want = got.astype(np.float64), want.astype(np.float64)
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        error = np.where(same, 0.0, np.abs(got - want) / (case.atol + case.rtol * np.abs(want)))
        worst = max(worst, float(np.nan_to_num(error, nan=math.inf).max(initial=0.0)))
    if worst > 1:
        raise Failure(f"wrong: an output is off by {worst:.1f} times the tolerance (rtol {case.rtol:.2g}, atol {case.atol:.2g})")
    return worst


def bench_ours(library, flags, options):
    command = [options.run, library, *flags, f"--bench={options.seconds}", "--threads", str(options.threads)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: os.sched_setaffinity(0, options.cpus))
    handle = os.pidfd_open(process.pid)  # readable at its end, when it is still in /proc
    ended, _, _ = select.select([handle], [], [], 600)
    os.close(handle)
    waits, elapsed = [waited for _, waited in scheduling(process.pid)], time.perf_counter() - start
    if not ended:
        process.kill()
    output, errors = process.communicate()
    if not ended or process.returncode:
        raise Failure("mlc-run --bench: " + (f"exit {process.returncode}: {errors.strip()[-200:]}" if ended else "no end within 600 s"))
    return {**json.loads(output), "waited": max(waits, default=0.0) / elapsed}


# -- the race -------------------------------------------------------------------------------------------------------------

def race(library, flags, peers, probes, options):
    """Pairs with each peer in turn, back to back: ours, peer, then peer, ours; medians of times and of the ratios of the pairs.

    A pair during which the processors were shared is discarded and repeated, up to as many as were asked for; when fewer than half
    are left after that, all of them count and the result is noisy. Without peers, ours runs alone."""
    names = list(peers) or ["ours"]
    good, bad = {name: [] for name in names}, {name: [] for name in names}
    steady = probes.steady()
    while waiting := [name for name in names if len(good[name]) < options.rounds and len(bad[name]) <= options.rounds]:
        for name in waiting:
            turns = list(dict.fromkeys(["ours", name]))
            if (len(good[name]) + len(bad[name])) % 2:
                turns.reverse()
            pair = {}
            for turn in turns:
                pair[turn] = bench_ours(library, flags, options) if turn == "ours" else peers[turn].bench(options.seconds)
            before, steady = steady, probes.steady()
            alone = all(one["waited"] <= 1 - STEADY for one in pair.values())
            (good if before and steady and alone else bad)[name].append(pair)
    noisy = [name for name in names if len(good[name]) * 2 < options.rounds]
    pairs = {name: good[name] + bad[name] if name in noisy else good[name] for name in names}
    ours = [pair["ours"] for name in names for pair in pairs[name]]
    result = {"noisy": noisy, "peers": {}}
    result["ours"] = {"ms": statistics.median(r["median_ms"] for r in ours), "min_ms": min(r["min_ms"] for r in ours)}
    for name in peers:
        ratios = [pair[name]["median_ms"] / pair["ours"]["median_ms"] for pair in pairs[name]]
        least = {turn: min(pair[turn]["min_ms"] for pair in pairs[name]) for turn in ("ours", name)}
        result["peers"][name] = {
            "ms": statistics.median(pair[name]["median_ms"] for pair in pairs[name]), "min_ms": least[name],
            "ratio": statistics.median(ratios), "ratios": ratios, "min_ratio": least[name] / least["ours"],
            "pairs": len(good[name]), "discarded": len(bad[name]), "version": peers[name].version}
    return result


def measure(case, probes, options, work):
    """The row of one case: a dict that always has `case` and `group`, and `unsupported` or `failed` where it ends early."""
    import cases
    import tensors
    row, peers = {"case": case.name, "group": case.group, "note": case.note, "refused": {}}, {}
    try:
        path = case.make()
        folder, library = os.path.join(work, case.name), os.path.join(work, case.name, "libmodel.so")
        dims = options.dims if case.dims is None else case.dims
        shapes = options.shapes if case.shapes is None else case.shapes
        arrays = cases.make_inputs(path, dims, shapes)
        named = tensors.save_inputs(os.path.join(folder, "in"), arrays)
        flags = [word for pair in named for word in ("--input", pair)]
        row["flops"] = cases.count_flops(path, arrays)
        row["compile_s"] = compile_ours(path, library, dims, shapes, options)
        row["error"] = check(case, path, library, arrays, flags, folder, options)
        for name in options.peers:
            try:
                peers[name] = start_peer(name, case, path, os.path.join(folder, "in"), options)
            except Unsupported as error:
                row["refused"][name] = str(error)
        for peer in peers.values():
            peer.rest()
        row.update(race(library, flags, peers, probes, options))
        if row["flops"]:
            row["gflops"] = row["flops"] / row["ours"]["ms"] * 1e-6
            if probes.peak[case.precision]:
                row["percent"] = 100 * row["gflops"] / probes.peak[case.precision]
    except Unsupported as error:
        row["unsupported"] = str(error)
    except (Failure, OSError, ValueError) as error:
        row["failed"] = str(error)
    finally:
        for peer in peers.values():
            peer.close()
    return row


# -- the table ------------------------------------------------------------------------------------------------------------

def head(options):
    return ["case", "ours ms", "GF/s", "% peak"] + [word for name in options.peers for word in (name + " ms", "ratio")]


def cells(row, options):
    """The row as text, without its last words."""
    def number(value, digits):
        return "-" if value is None else f"{value:.{digits}f}"
    ours, peers = row.get("ours", {}), row.get("peers", {})
    texts = [row["case"], number(ours.get("ms"), 4), number(row.get("gflops"), 1), number(row.get("percent"), 1)]
    for name in options.peers:
        peer = peers.get(name, {})
        texts += [number(peer.get("ms"), 4), number(peer.get("ratio"), 2)]
    return texts


def words(row):
    for key in ("unsupported", "failed"):
        if key in row:
            return f"{key}: {row[key]}"
    if row["noisy"] and set(row["noisy"]) < set(row["peers"]):
        return "noisy with " + ", ".join(row["noisy"])
    return "noisy" * bool(row["noisy"])


def widths(options):
    return [max([len(n) for n in options.names] + [7 + len("geomean")])] + [max(9, len(h) + 1) for h in head(options)[1:]]


def print_line(texts, options, last=""):
    line = "".join(t.ljust(w) if i == 0 else t.rjust(w) for i, (t, w) in enumerate(zip(texts, widths(options))))
    print((line + "  " + last).rstrip(), flush=True)


def geomeans(rows, options):
    """(group, peer) -> geometric mean of all ratios, noisy ones too, and the number of noisy ones."""
    result = {}
    for group in dict.fromkeys(row["group"] for row in rows):
        for name in options.peers:
            raced = [r for r in rows if r["group"] == group and name in r.get("peers", {})]
            if raced:
                logarithms = [math.log(r["peers"][name]["ratio"]) for r in raced]
                result[group, name] = math.exp(sum(logarithms) / len(raced)), sum(name in r["noisy"] for r in raced)
    return result


def geomean_cells(group, means, options):
    texts = ["geomean " + group, "", "", ""]
    for name in options.peers:
        texts += ["", f"{means[group, name][0]:.2f}" if (group, name) in means else "-"]
    return texts


def geomean_words(group, means):
    noisy = [f"{count} with {name}" for (of, name), (_, count) in means.items() if of == group and count]
    return "noisy: " + ", ".join(noisy) if noisy else ""


def about(rows, probes, options):
    """Lines on the machine, the peak, the versions, and what a peer refused."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    peaks = ", ".join(f"{p} {g:.0f}" for p, g in probes.peak.items() if g) or "no probe for this processor"
    lines = [f"processor {model}, {options.threads} thread{'s' * (options.threads > 1)}, peak of {probes.isa} in GF/s: {peaks}"]
    refused = {}
    for row in rows:
        for name, reason in row["refused"].items():
            if reason != "not a case for it":
                refused.setdefault((name, row["group"]), []).append(reason)
    for (name, group), reasons in refused.items():
        lines.append(f"{name} refused {len(reasons)} of {group}: {reasons[0]}")
    for name in options.peers:
        versions = {row["peers"][name]["version"] for row in rows if name in row.get("peers", {})}
        if versions and not name.startswith("onednn"):
            lines.append(f"{name} {', '.join(sorted(versions))}")
    return lines


def markdown(rows, means, lines, options):
    titles = [*head(options), ""]
    table = ["| " + " | ".join(titles) + " |", "|---|" + "---:|" * (len(titles) - 2) + "---|"]
    table += ["| " + " | ".join([*cells(row, options), words(row).replace("|", "\\|")]) + " |" for row in rows]
    for group in dict.fromkeys(row["group"] for row in rows):
        table.append("| " + " | ".join([*geomean_cells(group, means, options), geomean_words(group, means)]) + " |")
    return "\n".join(table + [""] + ["- " + line for line in lines]) + "\n"


def missed(rows, means, options):
    """What fails the run. Floors hold over the first peer: a case that mlc does not support misses them, and so does a noisy one, whatever
    its ratio; one that the peer refuses does not count, and when nothing is left to compare they are missed."""
    lines = [f"{row['case']}: {row['failed']}" for row in rows if "failed" in row]
    if not options.peers or not (options.min_each or options.min_geomean):
        return lines
    first = options.peers[0]
    if not any(name == first for _, name in means):
        lines.append(f"nothing to compare with {first}")
    for row in rows:
        ratio = row.get("peers", {}).get(first, {}).get("ratio")
        if "unsupported" in row:
            lines.append(f"{row['case']}: unsupported")
        elif ratio is not None and first in row["noisy"]:
            lines.append(f"{row['case']}: too noisy to judge; repeat while nothing else runs")
        elif options.min_each and ratio is not None and ratio < options.min_each:
            lines.append(f"{row['case']}: {ratio:.2f} over {first}, asked for {options.min_each}")
    for (group, name), (mean, _) in means.items():
        if options.min_geomean and name == first and mean < options.min_geomean:
            lines.append(f"geomean of {group}: {mean:.2f} over {first}, asked for {options.min_geomean}")
    return lines


# -- the command line -----------------------------------------------------------------------------------------------------

def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL.onnx")
    parser.add_argument("--setup", action="store_true", help="install the peers into build/perf (and libdnnl-dev), then stop")
    parser.add_argument("--list", action="store_true", help="print the names of the cases, then stop")
    parser.add_argument("--bin", default=os.path.join(environment.ROOT, "build", "release", "bin"), help="folder of mlc-opt and mlc-run")
    parser.add_argument("--suite", action="append", choices=("gemm", "conv", "packages", "models"),
                        help="repeatable; default: all, or none where models are named")
    parser.add_argument("--filter", default="", metavar="REGEX", help="only the cases whose names match")
    parser.add_argument("--peers", default="onednn,ort,openvino",
                        help="some of " + ", ".join(PEERS) + ", or none; floors hold over the first")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15, help="pairs of ours and each peer")
    parser.add_argument("--seconds", type=float, default=0.2, help="of one engine in one pair")
    parser.add_argument("--dim", action="append", default=[], metavar="NAME=SIZE", help="a symbolic size of the models named")
    parser.add_argument("--shape", action="append", default=[], metavar="NAME=1x3x8", help="an input's shape of the models named")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--min-each", type=float, metavar="RATIO")
    parser.add_argument("--min-geomean", type=float, metavar="RATIO")
    options = parser.parse_args()
    options.peers = [name for name in options.peers.split(",") if name and name != "none"]
    if set(options.peers) - set(PEERS):
        parser.error(f"expected peers of {', '.join(PEERS)}, but got {', '.join(options.peers)}")
    allowed = sorted(os.sched_getaffinity(0))
    if not 1 <= options.threads <= len(allowed):
        parser.error(f"expected 1 to {len(allowed)} threads, one for each processor, but got {options.threads}")
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("requires at least one round and a positive time")
    try:
        options.dims = {name: int(size) for name, size in (text.rsplit("=", 1) for text in options.dim)}
        options.shapes = {name: list(map(int, sizes.split("x"))) for name, sizes in (text.rsplit("=", 1) for text in options.shape)}
        re.compile(options.filter)
    except (ValueError, re.error) as error:
        parser.error(str(error))
    for path in options.models:
        if not os.path.exists(path):
            parser.error(f"no file '{path}'")
    options.cpus = set(allowed[:options.threads])
    options.opt, options.run = (os.path.join(options.bin, tool) for tool in ("mlc-opt", "mlc-run"))
    return options, parser


def main():
    options, parser = parse()
    if options.setup:
        return environment.setup()
    environment.enter()
    import cases
    suites = options.suite or ([] if options.models else list(cases.SUITES))
    files = [cases.file_case(path) for path in options.models]
    suites = [suite for suite in suites if suite != "models" or not files]  # the files take the place of the models that are built in
    chosen = [case for suite in suites for case in cases.SUITES[suite]()] + files
    chosen = [case for case in chosen if re.search(options.filter, case.name)]
    options.names = [case.name for case in chosen]
    if options.list:
        print("\n".join(options.names))
        return 0
    if not chosen:
        parser.error(f"no case matches '{options.filter}'")
    for tool in (options.opt, options.run):
        if not os.path.exists(tool):
            parser.error(f"expected {tool}, but there is none; build, or give --bin")
    probes, rows = Probes(sorted(options.cpus)), []
    print_line(head(options), options)
    with tempfile.TemporaryDirectory(prefix="mlc-perf-") as work:
        for case in chosen:
            rows.append(measure(case, probes, options, work))
            print_line(cells(rows[-1], options), options, words(rows[-1]))
    means = geomeans(rows, options)
    for group in dict.fromkeys(row["group"] for row in rows):
        print_line(geomean_cells(group, means, options), options, geomean_words(group, means))
    lines = about(rows, probes, options)
    print("\n".join(lines))
    failures = missed(rows, means, options)
    for line in failures:
        print("FAILED " + line)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"threads": options.threads, "isa": probes.isa, "peak": probes.peak, "cases": rows,
                       "geomeans": {f"{group} over {name}": mean for (group, name), (mean, _) in means.items()},
                       "about": lines, "failed": failures}, file, indent=1)
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write(markdown(rows, means, lines, options))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
