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

    def test_operands_that_are_slices(self):
        rng = np.random.default_rng(6)
        a, b, r = (rng.standard_normal(shape).astype(np.float32) for shape in ((8, 16), (16, 64), (64, 64)))
        nodes = [h.make_node("Slice", ["b", "zero", "end", "axis", "two"], ["s"]), h.make_node("MatMul", ["a", "s"], ["m"]),
                 h.make_node("Slice", ["r", "zero", "end", "both", "steps"], ["e"]), h.make_node("Add", ["m", "e"], ["y"])]
        ints = {"zero": [0], "end": [64], "axis": [1], "two": [2], "both": [0, 1], "steps": [8, 2]}
        ints |= {"zero2": [0, 0], "end2": [64, 64]}
        nodes[2].input[1], nodes[2].input[2] = "zero2", "end2"
        made = model(nodes, [value("a", [8, 16]), value("b", [16, 64]), value("r", [64, 64])], [value("y", [8, 32])],
                     [weights(name, np.array(values, np.int64)) for name, values in ints.items()])
        got = self.run_model(self.compile(made), {"a": a, "b": b, "r": r})["y"]
        np.testing.assert_allclose(got, a @ b[:, ::2] + r[::8, ::2], rtol=1e-4, atol=1e-4)

    def depthwise(self, channels, size, kernel, strides, pads, dilations, last, *flags):
        rng = np.random.default_rng(5)
        w = rng.standard_normal((channels, 1, *kernel)).astype(np.float32)
        bias = rng.standard_normal(channels).astype(np.float32)
        attributes = dict(kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations, group=channels)
        out = [(size[i] + pads[i] + pads[2 + i] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in range(2)]
        conv = [h.make_node("Conv", ["x", "w", "b"], ["c"], **attributes), h.make_node("Add", ["c", "r"], ["s"]), h.make_node("Sigmoid", ["s"], ["y"])]
        shape, result = [2, channels, *size], [2, channels, *out]
        if last:  # between transpositions, which vanish, it runs with the channels last
            conv[0].input[0], conv[1].input[1], conv[2].output[0] = "xt", "rt", "yt"
            conv = [h.make_node("Transpose", [name], [name + "t"], perm=[0, 3, 1, 2]) for name in "xr"] + conv
            conv.append(h.make_node("Transpose", ["yt"], ["y"], perm=[0, 2, 3, 1]))
            shape, result = [2, *size, channels], [2, *out, channels]
        made = model(conv, [value("x", shape), value("r", result)], [value("y", result)], [weights("w", w), weights("b", bias)])
        feeds = {"x": rng.standard_normal(shape).astype(np.float32), "r": rng.standard_normal(result).astype(np.float32)}
        got = self.run_model(self.compile(made, *flags), feeds)["y"]
        expected = self.run_model(self.compile(made, "-O0", library="libplain.so"), feeds)["y"]
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5, err_msg=f"{channels} {size} {kernel} {strides} {pads} {dilations} {last} {flags}")

    def test_depthwise_convolutions(self):
        for flags in ((), ("--mcpu=x86-64-v3",), ("--mcpu=x86-64-v2",)):
            for case in ((20, [7, 7], [3, 3], [1, 1], [1, 1, 1, 1], [1, 1]), (16, [14, 15], [3, 3], [2, 2], [1, 1, 1, 1], [1, 1]),
                         (16, [40, 70], [3, 3], [1, 1], [1, 1, 1, 1], [1, 1]), (16, [41, 70], [3, 3], [2, 2], [1, 0, 1, 2], [1, 1]),
                         (16, [33, 90], [5, 7], [2, 2], [2, 3, 2, 3], [1, 1]), (16, [30, 40], [5, 5], [3, 1], [4, 4, 4, 4], [2, 3]),
                         (16, [9, 50], [3, 3], [1, 2], [0, 0, 0, 0], [1, 5]), (16, [5, 3], [3, 3], [1, 1], [1, 1, 1, 1], [1, 1])):
                for last in (False, True):
                    self.depthwise(*case, last, *flags)


if __name__ == "__main__":
    unittest.main()
