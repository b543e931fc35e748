"""Elementary functions of f32: their error in units in the last place, over all of f32."""
import math
import unittest

import numpy as np
from onnx import TensorProto as T
from onnx import helper as h

import support
from support import OPT, ToolTest, model, value

NORMAL = float(np.finfo(np.float32).tiny)

# Each with the interval that matters; half of the arguments come from it, half from all floats.
FUNCTIONS = {
    "Exp": (-104, 89, np.exp), "Log": (0, 100, np.log), "Softplus": (-30, 30, lambda x: np.logaddexp(0, x)),
    "Erf": (-4, 4, np.vectorize(math.erf)), "Sigmoid": (-87, 90, lambda x: 1 / (1 + np.exp(-x))), "Tanh": (-10, 10, np.tanh),
    "Sin": (-100, 100, np.sin), "Cos": (-100, 100, np.cos), "Tan": (-10, 10, np.tan), "Asin": (-1, 1, np.arcsin),
    "Acos": (-1, 1, np.arccos), "Atan": (-10, 10, np.arctan), "Sinh": (-90, 90, np.sinh), "Cosh": (-90, 90, np.cosh),
    "Asinh": (-10, 10, np.arcsinh), "Acosh": (1, 100, np.arccosh), "Atanh": (-1, 1, np.arctanh),
}
SPECIAL = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 1e-45, -1e-45, 1.2e-38, 3.4e38, -3.4e38, 88.72283, 88.73, 89.41, -87.33,
                    -103.97, -103.98, 0.5, -0.5, 2, -2, 3, -3, 1e-10, np.pi / 2, np.pi, 2**20, 2.0**20 * 1.0000001, 1e22, 16367173 * 2.0**72],
                   np.float32)


def arguments(rng, count, low, high):
    anywhere = rng.integers(0, 1 << 32, count // 2, dtype=np.uint64).astype(np.uint32).view(np.float32)
    near = rng.uniform(low, high, count - count // 2 - len(SPECIAL)).astype(np.float32)
    return np.concatenate([SPECIAL, anywhere, near])


def ulps(got, exact):
    """|got - exact| in units of the last place of the f32 next to `exact`; infinite where they differ in kind or sign."""
    with np.errstate(all="ignore"):
        nearest = exact.astype(np.float32)
        error = np.abs(got.astype(np.float64) - exact) / np.spacing(np.abs(nearest)).astype(np.float64)
    same = (got == nearest) & (np.signbit(got) == np.signbit(nearest)) | np.isnan(got) & np.isnan(nearest)
    return np.where(same, np.where(np.isfinite(nearest), np.nan_to_num(error), 0), np.where(np.isfinite(error), error, np.inf))


class MathTest(ToolTest):
    count = 1 << 16

    def check(self, got, exact, what, *operands):
        error = ulps(got, exact)
        worst = int(error.argmax())
        self.assertLessEqual(error[worst], 4, f"{what} of {[x[worst] for x in operands]}: {got[worst]} instead of {exact[worst]}")

    def unary(self, cpu):
        made = model([h.make_node(name, ["x" + name], [name]) for name in FUNCTIONS],
                     [value("x" + name, [self.count]) for name in FUNCTIONS], [value(name, [self.count]) for name in FUNCTIONS])
        library = self.compile(made, f"--mcpu={cpu}")
        rng = np.random.default_rng(3)
        feeds = {"x" + name: arguments(rng, self.count, low, high) for name, (low, high, _) in FUNCTIONS.items()}
        results = self.run_model(library, feeds)
        for name, (_, _, function) in FUNCTIONS.items():
            x = feeds["x" + name]
            with np.errstate(all="ignore"):
                exact = function(x.astype(np.float64))
            got = results[name]
            if name == "Sigmoid":  # results that are subnormal are 0
                exact = np.where(exact < NORMAL, 0.0, exact)
                got = np.where(got < NORMAL, np.float32(0), got)
            self.check(got, exact, f"{name} ({cpu})", x)

    def test_at_most_four_ulps(self):
        self.unary("native")

    def test_at_most_four_ulps_without_fused_multiply_adds(self):
        self.unary("x86-64-v2")

    def test_powers(self):
        rng = np.random.default_rng(4)
        pairs = np.array([(a, b) for a in SPECIAL for b in SPECIAL], np.float32)
        x = np.concatenate([pairs[:, 0], arguments(rng, 1 << 14, -10, 10), rng.uniform(0, 50, 1 << 15).astype(np.float32)])
        y = np.concatenate([pairs[:, 1], arguments(rng, 1 << 14, -10, 10)[rng.permutation(1 << 14)],
                            rng.uniform(-20, 20, 1 << 15).astype(np.float32)])
        whole = rng.integers(-6, 7, len(x)).astype(np.float32)
        constants = [0.0, 1.0, 2.0, 3.0, -1.0, 0.5, 2.5]
        nodes = [h.make_node("Pow", ["x", "y"], ["p"]), h.make_node("Pow", ["x", "whole"], ["q"])]
        nodes += [h.make_node("Pow", ["x", f"c{i}"], [f"p{i}"]) for i in range(len(constants))]
        n = len(x)
        made = model(nodes, [value("x", [n]), value("y", [n]), value("whole", [n])],
                     [value(name, [n]) for name in ["p", "q"] + [f"p{i}" for i in range(len(constants))]],
                     [support.weights(f"c{i}", np.float32(c)) for i, c in enumerate(constants)])
        got = self.run_model(self.compile(made), {"x": x, "y": y, "whole": whole})
        exponents = {"p": y, "q": whole, **{f"p{i}": np.full(n, c, np.float32) for i, c in enumerate(constants)}}
        for name, exponent in exponents.items():
            with np.errstate(all="ignore"):
                exact = np.power(x.astype(np.float64), exponent.astype(np.float64))
            self.check(got[name], exact, "pow", x, exponent)

    def test_nothing_is_called(self):
        for name in [*FUNCTIONS, "Pow"]:
            inputs = ["x", "y"] if name == "Pow" else ["x"]
            made = model([h.make_node(name, inputs, ["z"])], [value(i, [4096]) for i in inputs], [value("z", [4096])])
            support.onnx.save(made, self.path("model.onnx"))
            self.call(OPT, "model.onnx", "--emit=asm", "--mcpu=x86-64-v3", "-o", "model.s")
            with open(self.path("model.s")) as assembly:
                text = assembly.read()
            self.assertNotRegex(text, r"(call|jmp)q?\s+\w*(exp|log|pow|erf|sin|cos|tan)\w*", name)
            self.assertRegex(text, r"v\w+ps\s.*%ymm", f"{name} is not vectorised")


if __name__ == "__main__":
    unittest.main()
