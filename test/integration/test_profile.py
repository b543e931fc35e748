"""mlc-run --profile: names, operations and times of nodes."""
import json
import unittest

import numpy as np
from onnx import helper as h

from support import RUN, ToolTest, model, value, weights


def product(m, n, k):
    """x[m, k] w[k, n], then softmax"""
    w = np.random.default_rng(0).standard_normal((k, n)).astype(np.float32)
    return model([h.make_node("MatMul", ["x", "w"], ["a"], name="dense"), h.make_node("Softmax", ["a"], ["y"], name="softmax")],
                 [value("x", [m, k])], [value("y", [m, n])], [weights("w", w)])


class Profile(ToolTest):
    def profile(self, library, *options):
        return json.loads(self.call(RUN, library, "--profile=json", *options)[0])

    def check(self, profile, m, n, k):
        (dense,) = [node for node in profile["nodes"] if node["kind"] == "contract"]
        self.assertEqual(dense["name"], "dense")
        self.assertEqual(dense["flops"], 2 * m * n * k)
        self.assertGreaterEqual(dense["bytes"], 4 * (m * k + k * n + m * n))  # weights are padded to whole panels
        self.assertEqual(dense["calls"], profile["runs"])
        self.assertTrue(any("softmax" in node["name"] for node in profile["nodes"]))
        self.assertGreaterEqual(profile["runs"], 5)
        self.assertGreater(profile["peak"]["gflops"], 0)
        self.assertGreater(profile["peak"]["gbytes"], 0)
        for node in profile["nodes"]:
            self.assertGreater(node["ms"], 0)
            if node["flops"]:
                self.assertAlmostEqual(node["gflops"], node["flops"] * node["calls"] / profile["runs"] / node["ms"] / 1e6, delta=1e-6 * node["gflops"])
        times = [node["ms"] for node in profile["nodes"]]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertLessEqual(sum(times), profile["total_ms"] * (1 + 1e-9))
        self.assertGreater(sum(times), 0.8 * profile["total_ms"])
        self.assertAlmostEqual(sum(times) + profile["between_ms"], profile["total_ms"], places=9)

    def test_nodes_of_a_product(self):
        library = self.compile(product(96, 192, 160))
        self.check(self.profile(library), 96, 192, 160)
        self.check(self.profile(library, "--threads", "2"), 96, 192, 160)

    def test_every_level_has_its_nodes(self):
        library = self.compile(product(64, 64, 64), "--mcpu=multi")
        self.check(self.profile(library), 64, 64, 64)

    def test_table(self):
        library = self.compile(product(64, 64, 64))
        lines = self.call(RUN, "--profile", library)[0].splitlines()
        self.assertEqual(lines[0].split()[:4], ["node", "kind", "calls", "ms/run"])
        self.assertTrue(any(line.startswith("dense ") and " contract " in line and " 524k " in line for line in lines), lines)
        (total,) = [i for i, line in enumerate(lines) if line.startswith("total")]
        self.assertEqual(len({len(line) for line in lines[: total + 1]}), 1, "columns are aligned")
        self.assertIn("GFLOP/s (f32", lines[-1])

    def test_time_is_that_of_bench(self):
        library = self.compile(product(64, 64, 64))
        self.assertEqual(self.profile(library, "--bench=0")["runs"], 5)  # the fewest that are measured
        self.assertGreater(self.profile(library, "--bench=0.1")["runs"], 5)

    def test_sizes_of_a_run(self):
        library = self.compile(product("N", 64, 96))
        for n in (8, 200):
            self.check(self.profile(library, "--dim", f"N={n}"), n, 64, 96)

    def test_sizes_within_a_loop(self):
        """Of a recurrence, what its steps get from outside."""
        w = [np.zeros(shape, np.float32) for shape in ((1, 256, 32), (1, 256, 64))]
        lstm = model([h.make_node("LSTM", ["x", "w", "r"], ["", "y"], name="lstm", hidden_size=64)], [value("x", [12, "N", 32])],
                     [value("y", [1, "N", 64])], [weights("w", w[0]), weights("r", w[1])])
        nodes = self.profile(self.compile(lstm), "--dim", "N=16")["nodes"]
        flops = {node["flops"] for node in nodes if node["kind"] == "contract"}
        self.assertLessEqual({2 * 12 * 16 * 256 * 32, 2 * 16 * 256 * 64}, flops)

    def test_without_optimisation_there_are_no_nodes(self):
        library = self.compile(product(8, 8, 8), "-O0")
        _, error = self.call(RUN, library, "--profile", code=1)
        self.assertIn("compiled with -O0", error)
        self.call(RUN, library, "--profile=xml", code=2)


if __name__ == "__main__":
    unittest.main()
