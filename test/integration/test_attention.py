"""Attention over several blocks of keys and kernels over rows, against NumPy in f64, for any number of threads."""
import unittest

import numpy as np
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

from support import ToolTest, model, value


def softmax(x):
    with np.errstate(invalid="ignore"):
        e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Attention(ToolTest):
    def attention(self, queries, keys, mask, symbolic=False, heads=3, size=40, flags=()):
        """softmax(q·k / 2 with the mask)·v of heads that are split and merged around it, as exporters write it."""
        nodes = []
        for name, axes in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            nodes += [h.make_node("Reshape", [name, "split"], [name + "h"]), h.make_node("Transpose", [name + "h"], [name + "t"], perm=axes)]
        nodes += [h.make_node("MatMul", ["qt", "kt"], ["s"]), h.make_node("Mul", ["s", "half"], ["scaled"])]
        if mask is None:
            nodes.append(h.make_node("Identity", ["scaled"], ["masked"]))
        elif mask.dtype == np.bool_:
            nodes.append(h.make_node("Where", ["m", "scaled", "low"], ["masked"]))
        else:
            nodes.append(h.make_node("Add", ["scaled", "m"], ["masked"]))
        nodes += [h.make_node("Softmax", ["masked"], ["w"], axis=-1), h.make_node("MatMul", ["w", "vt"], ["o"]),
                  h.make_node("Transpose", ["o"], ["ot"], perm=[0, 2, 1, 3]), h.make_node("Reshape", ["ot", "merge"], ["y"])]
        low = np.finfo(np.float32).min
        constants = [nh.from_array(np.array([0, 0, heads, size]), "split"), nh.from_array(np.array([0, 0, heads * size]), "merge"),
                     nh.from_array(np.float32(0.5), "half"), nh.from_array(np.float32(low), "low")]
        rng, width = np.random.default_rng(5), heads * size
        feeds = {"q": rng.standard_normal((2, queries, width)).astype(np.float32), "k": rng.standard_normal((2, keys, width)).astype(np.float32),
                 "v": rng.standard_normal((2, keys, width)).astype(np.float32)}
        shapes = {"q": ["b", "i", width], "k": ["b", "j", width], "v": ["b", "j", width]}
        inputs = [value(name, shapes[name] if symbolic else list(array.shape)) for name, array in feeds.items()]
        if mask is not None:
            constants.append(nh.from_array(mask, "m"))
        made = model(nodes, inputs, [value("y", shapes["q"] if symbolic else [2, queries, width])], constants)

        q, k, v = (feeds[name].astype(np.float64).reshape(2, -1, heads, size).transpose(0, 2, 1, 3) for name in "qkv")
        scores = q @ k.transpose(0, 1, 3, 2) / 2
        if mask is not None:
            scores = np.where(mask, scores, np.float64(low)) if mask.dtype == np.bool_ else scores + mask
        want = (softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(2, queries, width)
        library = self.compile(made, *flags)
        got = self.run_model(library, feeds)["y"]
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-5)
        for threads in ("2", "4"):
            self.assertEqual(self.run_model(library, feeds, "--threads", threads)["y"].tobytes(), got.tobytes())

    def test_blocks(self):
        self.attention(300, 700, None)
        self.attention(300, 700, None, symbolic=True)
        self.attention(5, 513, None, flags=("--mcpu=x86-64-v2",))
        self.attention(1, 300, None, size=64)

    def test_no_keys(self):
        """A sum of nothing."""
        nodes = [h.make_node("MatMul", ["q", "k"], ["s"]), h.make_node("Softmax", ["s"], ["w"], axis=-1), h.make_node("MatMul", ["w", "v"], ["y"])]
        made = model(nodes, [value("q", ["i", 8]), value("k", [8, "j"]), value("v", ["j", 16])], [value("y", ["i", 16])])
        feeds = {"q": np.ones((4, 8), np.float32), "k": np.ones((8, 0), np.float32), "v": np.ones((0, 16), np.float32)}
        np.testing.assert_array_equal(self.run_model(self.compile(made), feeds)["y"], np.zeros((4, 16)))

    def test_masks_that_leave_out_blocks(self):
        causal = np.tril(np.ones((700, 700), np.bool_))
        padded = causal.copy()
        padded[:, :260] = False  # the first block has nothing for some queries, which have nothing at all
        padded[:260, 300:320] = True
        for keep in (causal, padded):
            self.attention(700, 700, keep)
            self.attention(700, 700, np.where(keep, 0, -np.inf).astype(np.float32), symbolic=True)
        alone = causal.copy()
        alone[50] = False  # equal weights where scores are chosen, NaN where -inf is added
        self.attention(700, 700, alone)
        self.attention(700, 700, np.where(alone, 0, -np.inf).astype(np.float32), flags=("--mcpu=x86-64-v3",))


class Rows(ToolTest):
    def test_softmax_of_a_row_with_nan_or_infinities(self):
        for columns in (5, 40, 1000):
            x = np.random.default_rng(6).standard_normal((6, columns)).astype(np.float32)
            x[0, 3], x[1, 2], x[2, 1], x[3] = np.nan, np.inf, -np.inf, -np.inf
            made = model([h.make_node("Softmax", ["x"], ["y"], axis=-1), h.make_node("ReduceMax", ["x"], ["m"], axes=[1], keepdims=0)],
                         [value("x", ["n", columns])], [value("y", ["n", columns]), value("m", ["n"])])
            got = self.run_model(self.compile(made), {"x": x})
            np.testing.assert_allclose(got["y"], softmax(x.astype(np.float64)), rtol=1e-5, atol=1e-7)
            np.testing.assert_array_equal(got["m"], x.max(-1))

    def test_normalization_that_is_spelt_out(self):
        """Residual, layer norm op by op, activation; the residual is a result too."""
        nodes = [h.make_node("Add", ["x", "r"], ["s"]), h.make_node("ReduceMean", ["s"], ["mean"], axes=[-1]),
                 h.make_node("Sub", ["s", "mean"], ["c"]), h.make_node("Mul", ["c", "c"], ["cc"]),
                 h.make_node("ReduceMean", ["cc"], ["v"], axes=[-1]), h.make_node("Sqrt", ["v"], ["d"]),
                 h.make_node("Div", ["c", "d"], ["n"]), h.make_node("Relu", ["n"], ["y"])]
        for columns in (24, 130, 770):
            for symbolic in (False, True):
                shape = ["n", "m"] if symbolic else [37, columns]
                made = model(nodes, [value("x", shape), value("r", shape)], [value("y", shape), value("s", shape)])
                rng = np.random.default_rng(7)
                x, r = rng.standard_normal((2, 37, columns)).astype(np.float32)
                got = self.run_model(self.compile(made), {"x": x, "r": r})
                s = x.astype(np.float64) + r
                want = np.maximum((s - s.mean(-1, keepdims=True)) / s.std(-1, keepdims=True), 0)
                np.testing.assert_allclose(got["y"], want, rtol=1e-4, atol=1e-5)
                np.testing.assert_allclose(got["s"], s, rtol=1e-6, atol=1e-6)


if __name__ == "__main__":
    unittest.main()
