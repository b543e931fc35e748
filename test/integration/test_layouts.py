"""Transpositions and convolutions of awkward sizes, against NumPy and against -O0."""
import unittest

import numpy as np
from onnx import TensorProto as T
from onnx import helper as h

from support import ToolTest, model, value, weights

TYPES = {T.FLOAT: np.float32, T.DOUBLE: np.float64, T.FLOAT16: np.float16, T.INT8: np.int8, T.INT64: np.int64, T.BOOL: np.bool_}


class Layouts(ToolTest):
    def transpose(self, dtype, shape, permutation, symbolic, *flags):
        declared = [f"d{i}" for i in range(len(shape))] if symbolic else shape
        result = [declared[axis] for axis in permutation]
        made = model([h.make_node("Transpose", ["x"], ["y"], perm=permutation)], [value("x", declared, dtype)], [value("y", result, dtype)])
        x = (np.random.default_rng(3).standard_normal(shape) * 50).astype(TYPES[dtype])
        got = self.run_model(self.compile(made, *flags), {"x": x})["y"]
        np.testing.assert_array_equal(got, x.transpose(permutation), f"{shape} {permutation} {symbolic} {flags}")

    def test_transpositions(self):
        for dtype in TYPES:
            self.transpose(dtype, [37, 21], [1, 0], False)
            self.transpose(dtype, [2, 19, 5, 33], [0, 2, 3, 1], True)
        for shape, permutation in (([1, 3, 40, 40], [0, 2, 3, 1]), ([1, 40, 40, 3], [0, 3, 1, 2]), ([2, 130, 4, 64], [0, 2, 1, 3]),
                                   ([2, 130, 4, 64], [0, 2, 3, 1]), ([300, 500], [1, 0]), ([7, 1, 18], [2, 1, 0])):
            for symbolic in (False, True):
                self.transpose(T.FLOAT, shape, permutation, symbolic)
                self.transpose(T.FLOAT, shape, permutation, symbolic, "--mcpu=x86-64-v2")

    def test_ops_fused_with_a_transposition(self):
        nodes = [h.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]), h.make_node("Cast", ["t"], ["f"], to=T.FLOAT),
                 h.make_node("Add", ["f", "b"], ["s"]), h.make_node("Mul", ["s", "r"], ["m"]), h.make_node("Relu", ["m"], ["y"])]
        rng = np.random.default_rng(4)
        for symbolic in (False, True):
            n, c, w = ("n", "c", "w") if symbolic else (3, 21, 50)
            made = model(nodes, [value("x", [n, c, w], T.INT8), value("b", [c]), value("r", [n, w, 1])], [value("y", [n, w, c])])
            x = rng.integers(-100, 100, (3, 21, 50)).astype(np.int8)
            b, r = rng.standard_normal(21).astype(np.float32), rng.standard_normal((3, 50, 1)).astype(np.float32)
            got = self.run_model(self.compile(made), {"x": x, "b": b, "r": r})["y"]
            np.testing.assert_allclose(got, np.maximum((x.transpose(0, 2, 1) + b) * r, 0), rtol=1e-6, atol=1e-5)

    def test_transposed_convolutions(self):
        # input, filter, attributes: phases of one and of several taps, taps that miss a phase, groups, cropping, growing, 1 to 3 axes
        cases = [([1, 8, 9, 7], [8, 6, 3, 3], {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
                 ([2, 8, 6, 5], [8, 3, 2, 2], {"strides": [2, 2], "group": 2}),
                 ([1, 4, 5, 6], [4, 5, 4, 4], {"strides": [2, 3], "pads": [1, 0, 2, 1]}),
                 ([1, 3, 4, 4], [3, 4, 2, 1], {"strides": [3, 2], "output_padding": [2, 1]}),
                 ([1, 6, 7, 7], [6, 6, 3, 3], {"pads": [1, 1, 1, 1]}),
                 ([1, 6, 7, 7], [6, 4, 3, 3], {"strides": [2, 2], "dilations": [2, 2]}),
                 ([1, 6, 7, 7], [6, 1, 5, 5], {"strides": [2, 2], "group": 6, "pads": [2, 2, 1, 1]}),
                 ([2, 5, 17], [5, 4, 8], {"strides": [4], "pads": [2, 2]}),
                 ([1, 3, 3, 4, 5], [3, 2, 3, 2, 2], {"strides": [2, 2, 1], "pads": [1, 0, 0, 0, 0, 1]})]
        rng = np.random.default_rng(5)
        for symbolic in (False, True):
            nodes, inputs, outputs, feeds, filters = [], [], [], {}, []
            for i, (shape, filter_shape, attributes) in enumerate(cases):
                nodes.append(h.make_node("ConvTranspose", [f"x{i}", f"w{i}"], [f"y{i}"], **attributes))
                declared = [f"n{i}", shape[1], *(f"s{i}_{axis}" for axis in range(len(shape) - 2))] if symbolic else shape
                inputs.append(value(f"x{i}", declared))
                outputs.append(value(f"y{i}", [None] * len(shape)))
                feeds[f"x{i}"] = rng.standard_normal(shape).astype(np.float32)
                filters.append(weights(f"w{i}", rng.standard_normal(filter_shape).astype(np.float32)))
            made = model(nodes, inputs, outputs, filters)
            plain = self.run_model(self.compile(made, "-O0"), feeds)
            for name, got in self.run_model(self.compile(made), feeds).items():
                np.testing.assert_allclose(got, plain[name], rtol=1e-4, atol=1e-5, err_msg=f"{cases[int(name[1:])]} {symbolic}")


if __name__ == "__main__":
    unittest.main()
