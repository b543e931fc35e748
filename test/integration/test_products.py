"""Matrix products of operands that lie across and of long sums, as gradients of weights are, against NumPy in f64."""
import unittest

import numpy as np
from onnx import TensorProto as T
from onnx import helper as h

from support import ToolTest, model, value

# rows, columns, depth, whether lhs and rhs are transposed: powers of two, whose rows meet in a few sets of a cache; sums of
# several blocks with a rest; rows and columns that fill no tile; a single row, and sums of nothing to cut
CASES = [(256, 512, 1024, True, False), (512, 256, 1024, False, False), (256, 256, 1024, False, True), (1024, 64, 512, True, False),
         (259, 131, 513, True, False), (131, 259, 1000, True, True), (6, 200, 300, True, False), (1, 96, 700, True, False),
         (1024, 200, 520, True, False), (100, 1, 600, True, False), (67, 50, 100, True, False), (7, 640, 257, True, False)]
TYPES = {T.FLOAT: (np.float32, 2e-6), T.DOUBLE: (np.float64, 1e-14)}


class Products(ToolTest):
    def check(self, dtype, symbolic, *flags):
        nodes, inputs, outputs, feeds, expected = [], [], [], {}, {}
        rng = np.random.default_rng(7)
        kind, tolerance = TYPES[dtype]
        for i, (rows, columns, depth, across_lhs, across_rhs) in enumerate(CASES):
            operands, names = [], []
            for name, shape, across, axes in ((f"a{i}", (rows, depth), across_lhs, ("m", "k")), (f"b{i}", (depth, columns), across_rhs, ("k", "n"))):
                operand = rng.standard_normal(shape).astype(kind)
                operands.append(operand.astype(np.float64))
                declared = [axis + str(i) for axis in axes] if symbolic else list(shape)
                feeds[name] = np.ascontiguousarray(operand.T) if across else operand
                inputs.append(value(name, declared[::-1] if across else declared, dtype))
                if across:
                    nodes.append(h.make_node("Transpose", [name], [name + "t"], perm=[1, 0]))
                names.append(name + "t" if across else name)
            nodes.append(h.make_node("MatMul", names, [f"y{i}"]))
            outputs.append(value(f"y{i}", [f"m{i}", f"n{i}"] if symbolic else [rows, columns], dtype))
            expected[f"y{i}"] = operands[0] @ operands[1], depth
        library = self.compile(model(nodes, inputs, outputs), *flags)
        got = self.run_model(library, feeds)
        for name, (wanted, depth) in expected.items():
            # The error of a sum grows with its length, not with what is left of it.
            np.testing.assert_allclose(got[name], wanted, rtol=0, atol=tolerance * depth, err_msg=f"{CASES[int(name[1:])]} {symbolic} {flags}")
        for name, other in self.run_model(library, feeds, "--threads", "1").items():
            np.testing.assert_array_equal(other, got[name], name)

    def test_narrow_vectors(self):
        self.check(T.FLOAT, False, "--mcpu=x86-64-v3")
        self.check(T.FLOAT, True, "--mcpu=x86-64-v3")
        self.check(T.FLOAT, False, "--mcpu=x86-64-v2")

    def test_native_vectors(self):
        for dtype in TYPES:
            self.check(dtype, False)
            self.check(dtype, True)

    def test_plain_code(self):
        self.check(T.FLOAT, True, "-O0")


if __name__ == "__main__":
    unittest.main()
