"""--with-gradient: a library that also computes gradients by its inputs, against central differences in f64."""
import ctypes
import unittest

import numpy as np
from onnx import TensorProto as T
from onnx import helper as h

from support import OPT, ToolTest, model, value, weights


class Status(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int32), ("message", ctypes.c_char_p)]


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("threads", ctypes.c_int32), ("weights_path", ctypes.c_char_p)]


class Typed:
    """A function of the typed C API: arrays in, sizes, arrays out."""

    def __init__(self, library, name, threads=1):
        self.library, self.name, self.context = library, name, ctypes.c_void_p()
        create = getattr(library, name + "_create")
        create.restype = getattr(library, name + "_run").restype = Status
        status = create(ctypes.byref(Options(ctypes.sizeof(Options), threads)), ctypes.byref(self.context))
        assert status.code == 0, status.message

    def __call__(self, inputs, sizes, outputs):
        pointer = lambda array: array.ctypes.data_as(ctypes.c_void_p)
        status = getattr(self.library, self.name + "_run")(self.context, *map(pointer, inputs), *map(ctypes.c_int64, sizes), *map(pointer, outputs))
        assert status.code == 0, status.message
        return outputs


def net():
    """Two inputs of floats and one of integers to two outputs: a convolution, an embedding, a softmax."""
    rng = np.random.default_rng(3)
    draw = lambda *shape: rng.standard_normal(shape) / 2
    nodes = [h.make_node("Conv", ["image", "filter", "bias"], ["c"], pads=[1, 1, 1, 1]), h.make_node("Tanh", ["c"], ["t"]),
             h.make_node("AveragePool", ["t"], ["p"], kernel_shape=[2, 2], strides=[2, 2]), h.make_node("Flatten", ["p"], ["f"]),
             h.make_node("Gather", ["table", "word"], ["e"]), h.make_node("Mul", ["e", "factor"], ["m"]),
             h.make_node("MatMul", ["f", "v"], ["g"]), h.make_node("Add", ["g", "m"], ["logits"]),
             h.make_node("Softmax", ["logits"], ["probabilities"], axis=-1)]
    return model(nodes, [value("image", ["N", 2, 6, 6], T.DOUBLE), value("word", ["N"], T.INT64), value("factor", ["N", 5], T.DOUBLE)],
                 [value("probabilities", ["N", 5], T.DOUBLE), value("logits", ["N", 5], T.DOUBLE)],
                 [weights("filter", draw(4, 2, 3, 3)), weights("bias", draw(4)), weights("v", draw(36, 5)), weights("table", draw(7, 5))])


class GradientTest(ToolTest):
    def check_library(self, *options):
        library = ctypes.CDLL(self.compile(net(), "--with-gradient", "--name=net", *options))
        run, gradient = Typed(library, "net"), Typed(library, "net_gradient")
        rng = np.random.default_rng(4)
        for n in (1, 3):
            image, factor, word = rng.standard_normal((n, 2, 6, 6)), rng.standard_normal((n, 5)), rng.integers(0, 7, n)
            cotangents = [rng.standard_normal((n, 5)) for _ in range(2)]

            def loss(image, factor):
                outputs = run([image, word, factor], [n], [np.empty((n, 5)), np.empty((n, 5))])
                return sum((o * c).sum() for o, c in zip(outputs, cotangents))

            got = gradient([image, word, factor, *cotangents], [n], [np.empty_like(image), np.empty_like(factor)])
            for _ in range(5):
                directions = rng.standard_normal(image.shape), rng.standard_normal(factor.shape)
                step = 1e-5
                expected = (loss(image + step * directions[0], factor + step * directions[1])
                            - loss(image - step * directions[0], factor - step * directions[1])) / (2 * step)
                actual = sum((g * d).sum() for g, d in zip(got, directions))
                self.assertAlmostEqual(actual, expected, delta=1e-7 * max(1, abs(expected)))

    def test_agrees_with_central_differences(self):
        self.check_library()

    def test_without_optimisation(self):
        self.check_library("-O0")

    def test_with_weights_beside_the_library(self):
        self.check_library("--weights=external")

    def test_for_several_processors(self):
        self.check_library("--mcpu=multi")

    def test_refuses_what_has_no_gradient(self):
        made = model([h.make_node("Add", ["x", "x"], ["y"])], [value("x", [4], T.INT64)], [value("y", [4], T.INT64)])
        with open(self.path("m.onnx"), "wb") as file:
            file.write(made.SerializeToString())
        _, error = self.call(OPT, "m.onnx", "--with-gradient", code=1)
        self.assertIn("requires an input and an output of floats", error)
        made = model([h.make_node("Slice", ["x", "from", "to", "axis", "step"], ["y"], name="stride")],
                     [value("x", [9])] + [value(name, [1], T.INT64) for name in ("from", "to", "axis", "step")], [value("y", ["M"])])
        with open(self.path("d.onnx"), "wb") as file:
            file.write(made.SerializeToString())
        _, error = self.call(OPT, "d.onnx", "--with-gradient", code=1)
        self.assertIn("stride", error)
        self.assertIn("has no derivative because its steps are known only at run time", error)

    def test_is_not_for_training_programs(self):
        _, error = self.call(OPT, "m.onnx", "--with-gradient", "--emit=exe", "--loss=mse", code=2)
        self.assertIn("--with-gradient", error)


if __name__ == "__main__":
    unittest.main()
