"""Convolutions against NumPy in f64: transposed ones by phases, those of parts of their input, and gradients of those with strides."""
import itertools
import unittest

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h

from support import OPT, ToolTest, model, read_safetensors, value, weights


def taps(size, filter_size, stride, low, results):
    """For each tap of an axis: the results that read the input through it, and the places that they read."""
    for tap in range(filter_size):
        result = np.arange(results)
        place = result * stride + tap - low
        inside = (place >= 0) & (place < size)
        yield tap, result[inside], place[inside]


def over_taps(shape, filter_shape, stride, low, results):
    for (i, ry, py), (j, rx, px) in itertools.product(*(taps(shape[a], filter_shape[a], stride, low, results[a]) for a in (0, 1))):
        yield i, j, np.ix_(ry, rx), np.ix_(py, px)


def convolve(x, w, stride, low, results):
    """x[n, c, h, w], w[f, c, i, j] -> [n, f, *results]"""
    y = np.zeros((x.shape[0], w.shape[0], *results))
    for i, j, at, of in over_taps(x.shape[2:], w.shape[2:], stride, low, results):
        y[(slice(None), slice(None), *at)] += np.einsum("nchw,fc->nfhw", x[(slice(None), slice(None), *of)], w[:, :, i, j])
    return y


def gradients(x, w, stride, low, dy):
    """The gradients of x and w where dy is that of convolve(x, w)."""
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for i, j, at, of in over_taps(x.shape[2:], w.shape[2:], stride, low, dy.shape[2:]):
        part = dy[(slice(None), slice(None), *at)]
        dx[(slice(None), slice(None), *of)] += np.einsum("nfhw,fc->nchw", part, w[:, :, i, j])
        dw[:, :, i, j] = np.einsum("nfhw,nchw->fc", part, x[(slice(None), slice(None), *of)])
    return dx, dw


# taps, stride, low and high padding, output padding, height and width: phases of different taps, without any, with places that
# differ, and with padding that cuts them off
TRANSPOSED = [(3, 2, 1, 1, 1, 8, 8), (3, 2, 1, 1, 0, 8, 7), (3, 2, 0, 0, 0, 5, 6), (3, 2, 0, 1, 0, 4, 4), (5, 2, 2, 2, 1, 6, 6), (5, 3, 1, 1, 0, 6, 5),
              (1, 2, 0, 0, 1, 7, 7), (1, 2, 0, 0, 0, 7, 7), (2, 3, 0, 0, 0, 4, 4), (2, 3, 0, 0, 1, 4, 5), (4, 3, 2, 2, 2, 5, 5), (3, 2, 2, 2, 1, 6, 6),
              (7, 4, 3, 3, 3, 5, 5), (4, 2, 1, 1, 0, 5, 5)]


class Convolutions(ToolTest):
    def check_transposed(self, symbolic, channels):
        nodes, inputs, outputs, filters, feeds, expected = [], [], [], [], {}, {}
        rng = np.random.default_rng(3)
        for n, (size, stride, low, high, more, height, width) in enumerate(TRANSPOSED):
            for groups in (1, 2):
                name = f"{n}_{groups}"
                x = rng.standard_normal((2, 8 * groups, height, width)).astype(np.float32)
                w = rng.standard_normal((8 * groups, channels, size, size)).astype(np.float32)
                sizes = [(place - 1) * stride + size - low - high + more for place in (height, width)]
                feeds["x" + name] = x
                filters.append(weights("w" + name, w))
                inputs.append(value("x" + name, [f"n{name}", 8 * groups, f"h{name}", f"w{name}"] if symbolic else x.shape))
                outputs.append(value("y" + name, [f"n{name}", channels * groups, f"p{name}", f"q{name}"] if symbolic else [2, channels * groups, *sizes]))
                nodes.append(h.make_node("ConvTranspose", ["x" + name, "w" + name], ["y" + name], strides=[stride, stride], pads=[low, low, high, high],
                                         output_padding=[more, more], group=groups))
                # The transpose of a convolution is its gradient.
                parts = [gradients(np.zeros((2, channels, *sizes)), w[g * 8:g * 8 + 8].astype(np.float64), stride, low,
                                   x[:, g * 8:g * 8 + 8].astype(np.float64))[0] for g in range(groups)]
                expected["y" + name] = np.concatenate(parts, axis=1)
        for flags in ((), ("-O0",)):
            got = self.run_model(self.compile(model(nodes, inputs, outputs, filters), *flags), feeds)
            for name, wanted in expected.items():
                np.testing.assert_allclose(got[name], wanted, rtol=0, atol=1e-4, err_msg=f"{name} {flags}")

    def test_transposed_by_phases(self):
        self.check_transposed(False, 32)
        self.check_transposed(True, 32)

    def test_transposed_of_few_channels(self):
        self.check_transposed(False, 3)

    def test_parts_of_an_input(self):
        """Rows of a part do not continue each other, whatever its sizes say."""
        rng = np.random.default_rng(4)
        x = rng.standard_normal((2, 8, 6, 6)).astype(np.float32)
        nodes, outputs, constants, expected = [], [], [weights("axes", np.array([2, 3]))], {}
        for n, (size, rows, columns) in enumerate(itertools.product(((1, 1), (2, 1), (1, 2), (3, 2), (2, 2)), ((0, 6), (1, 6), (1, 5)), ((0, 6), (1, 6), (0, 4)))):
            w = rng.standard_normal((32, 8, *size)).astype(np.float32)
            constants += [weights(f"w{n}", w), weights(f"from{n}", np.array([rows[0], columns[0]])), weights(f"to{n}", np.array([rows[1], columns[1]]))]
            part = x[:, :, slice(*rows), slice(*columns)].astype(np.float64)
            results = [part.shape[2] - size[0] + 1, part.shape[3] - size[1] + 1]
            nodes += [h.make_node("Slice", ["x", f"from{n}", f"to{n}", "axes"], [f"z{n}"]), h.make_node("Conv", [f"z{n}", f"w{n}"], [f"y{n}"])]
            outputs.append(value(f"y{n}", [2, 32, *results]))
            expected[f"y{n}"] = convolve(part, w.astype(np.float64), 1, 0, results)
        made = model(nodes, [value("x", x.shape)], outputs, constants)
        for flags in ((), ("--mcpu=x86-64-v3",), ("-O0",)):
            got = self.run_model(self.compile(made, *flags), {"x": x})
            for name, wanted in expected.items():
                np.testing.assert_allclose(got[name], wanted, rtol=0, atol=1e-4, err_msg=f"{name} {flags}")

    def test_gradients_of_strides(self):
        rng = np.random.default_rng(5)
        # Sums over samples, lines and columns, of which many make a block; rows that fill no tile.
        x, first, second = (rng.standard_normal(shape).astype(np.float32) for shape in ((40, 8, 16, 16), (40, 8, 3, 3), (70, 40, 3, 3)))
        label = rng.standard_normal((40, 70, 4, 4)).astype(np.float32)
        made = model([h.make_node("Conv", ["x", "first"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
                      h.make_node("Conv", ["a", "second"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])],
                     [value("x", ["N", 8, 16, 16])], [value("y", ["N", 70, 4, 4])], [weights("first", first), weights("second", second)])
        onnx.save(made, self.path("model.onnx"))
        np.savez(self.path("data.npz"), x=x, label=label)
        exact = [array.astype(np.float64) for array in (x, first, second)]
        middle = convolve(exact[0], exact[1], 2, 1, (8, 8))
        error = convolve(middle, exact[2], 2, 1, (4, 4)) - label
        back, dsecond = gradients(middle, exact[2], 2, 1, 2 * error / error.size)
        _, dfirst = gradients(exact[0], exact[1], 2, 1, back)
        for flags in ((), ("--mcpu=x86-64-v3",)):
            self.call(OPT, "model.onnx", "--emit=exe", "--loss=mse", "--optimizer=sgd", "--lr=0.01", "-o", "train", *flags)
            self.call(self.path("train"), "--data", "data.npz", "--full-batch", "--epochs", "1", "--export", "w.safetensors")
            got = read_safetensors(self.path("w.safetensors"))
            for name, before, gradient in (("first", exact[1], dfirst), ("second", exact[2], dsecond)):
                np.testing.assert_allclose((before - got[name]) / 0.01, gradient, rtol=0, atol=1e-4 * np.abs(gradient).max() + 2e-5, err_msg=f"{name} {flags}")


if __name__ == "__main__":
    unittest.main()
