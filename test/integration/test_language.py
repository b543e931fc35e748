"""Models in the language against NumPy, the guide's examples, weights from files, and texts that are broken."""
import glob
import json
import os
import random
import re
import struct
import subprocess
import unittest

import numpy as np

from support import OPT, ROOT, ToolTest, mlp

EXAMPLES = sorted(glob.glob(os.path.join(ROOT, "docs", "examples", "*.mlc")))


def read(path):
    with open(path) as file:
        return file.read()


def save_safetensors(path, tensors):
    """Writes float arrays as the format wants them."""
    header, data = {}, b""
    for name, array in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def same_pads(size, window, stride):
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def windows(x, kernel, stride, same, fill=0.0):
    """[N, y, x, kernel, kernel, C] of an image."""
    if same:
        x = np.pad(x, [(0, 0), same_pads(x.shape[1], kernel, stride), same_pads(x.shape[2], kernel, stride), (0, 0)], constant_values=fill)
    rows, columns = (x.shape[1] - kernel) // stride + 1, (x.shape[2] - kernel) // stride + 1
    return np.stack([np.stack([x[:, i * stride:i * stride + kernel, j * stride:j * stride + kernel] for j in range(columns)], 1) for i in range(rows)], 1)


def conv(x, kernel, bias, stride=1, same=False, groups=1):
    parts, filters = [], kernel.shape[0] // groups
    for g in range(groups):
        piece = x[..., g * kernel.shape[1]:(g + 1) * kernel.shape[1]]
        parts.append(np.einsum("nyxijc,fcij->nyxf", windows(piece, kernel.shape[2], stride, same), kernel[g * filters:(g + 1) * filters]))
    return np.concatenate(parts, -1) + bias


def normalize(x, axes=-1, epsilon=1e-3):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


def heads(x, count):
    return x.reshape(x.shape[0], x.shape[1], count, -1).transpose(0, 2, 1, 3)


def attention(x, kv, w, prefix, count, mask=None):
    q, k, v = (heads(s @ w[f"{prefix}.{n}.kernel"] + w[f"{prefix}.{n}.bias"], count) for s, n in ((x, "query"), (kv, "key"), (kv, "value")))
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -1e9)
    y = (softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[1], -1)
    return y @ w[f"{prefix}.output.kernel"] + w[f"{prefix}.output.bias"]


class Language(ToolTest):
    def weights_of(self, path):
        """Random weights for all parameters of a model, by name."""
        ir, _ = self.call(OPT, path, "--compile-to=import")
        rng, made = np.random.default_rng(0), {}
        for name, sizes in re.findall(r"graph\.parameter @\"?([\w.]+)\"? : tensor<((?:\d+x)*)f32>", ir):
            shape = [int(size) for size in sizes.split("x")[:-1]]
            made[name] = (rng.uniform(0.5, 1.5, shape) if name.endswith("variance") else rng.standard_normal(shape) * 0.3).astype(np.float32)
        return made

    def compute(self, text, feeds, *options):
        """The outputs of a model in the language, and its weights."""
        path = self.path("model.mlc")
        with open(path, "w") as file:
            file.write(text)
        weights = self.weights_of(path)
        save_safetensors(self.path("w.safetensors"), weights)
        library = self.compile(path, "--load-weights=w.safetensors", *options)
        return self.run_model(library, feeds), weights

    def check(self, text, feeds, expected, tolerance=2e-5, *options):
        """`expected` gives the outputs by name from the weights by name."""
        got, weights = self.compute(text, feeds, *options)
        wanted = expected(weights)
        self.assertEqual(set(got), set(wanted))
        for name, array in wanted.items():
            self.assertEqual(got[name].shape, np.shape(array), name)
            np.testing.assert_allclose(got[name], array, rtol=tolerance, atol=tolerance, err_msg=name)

    def test_mnist_cnn(self):
        image = np.random.default_rng(1).random((2, 28, 28, 1), np.float32)

        def expected(w):
            x = image
            for i, layer in enumerate(("conv2d", "conv2d_1", "conv2d_2")):
                x = relu(conv(x, w[layer + ".kernel"], w[layer + ".bias"]))
                if i < 2:
                    x = windows(x, 2, 2, False).max((3, 4))
            x = relu(x.reshape(2, -1) @ w["dense.kernel"] + w["dense.bias"])
            return {"probabilities": softmax(x @ w["dense_1.kernel"] + w["dense_1.bias"])}

        self.check(read(os.path.join(ROOT, "docs", "examples", "mnist_cnn.mlc")), {"image": image}, expected, 1e-3)

    def test_convolutions_and_pools(self):
        x = np.random.default_rng(2).standard_normal((2, 7, 7, 4)).astype(np.float32)

        def expected(w):
            a = conv(x, w["a.kernel"], w["a.bias"], 2, True)
            b = conv(x, w["b.kernel"], w["b.bias"], 1, False, 2)
            c = conv(x, w["c.kernel"], w["c.bias"], 1, True, 4)
            d = conv(conv(x, w["d.depthwise_kernel"], 0, 1, True, 4), w["d.pointwise_kernel"], w["d.bias"])
            sums, ones = windows(x, 3, 2, True), windows(np.ones_like(x), 3, 2, True)
            return {"a": a, "b": b, "c": c, "d": d, "e": windows(x, 3, 2, True, -np.inf).max((3, 4)),
                    "f": sums.sum((3, 4)) / ones.sum((3, 4)), "g": x.mean((1, 2)), "h": x.repeat(2, 1).repeat(2, 2)}

        self.check("""
            model m(x: f32[N, 7, 7, 4]) -> a: f32[N, 4, 4, 6], b: f32[N, 5, 5, 8], c: f32[N, 7, 7, 8], d: f32[N, 7, 7, 3],
                e: f32[N, 4, 4, 4], f: f32[N, 4, 4, 4], g: f32[N, 4], h: f32[N, 14, 14, 4] {
              a = conv2d(x, filters=6, kernel=3, strides=2, padding=same, name="a")
              b = conv2d(x, filters=8, kernel=3, groups=2, name="b")
              c = depthwise_conv2d(x, kernel=3, multiplier=2, padding="same", name="c")
              d = separable_conv2d(x, filters=3, kernel=3, padding=same, name="d")
              return a, b, c, d, max_pool2d(x, 3, strides=2, padding=same), avg_pool2d(x, 3, strides=2, padding=same), global_avg_pool(x), upsample(x, 2)
            }""", {"x": x}, expected, 1e-4)

    def test_same_padding_of_sizes_that_a_run_knows(self):
        x = np.random.default_rng(3).standard_normal((1, 9, 6, 2)).astype(np.float32)
        self.check("""
            model m(x: f32[N, H, W, 2]) -> a: f32[N, P, Q, 3], b: f32[N, P, Q, 2] {
              return conv2d(x, filters=3, kernel=3, strides=2, padding=same, name="a"), max_pool2d(x, 3, strides=2, padding=same)
            }""", {"x": x}, lambda w: {"a": conv(x, w["a.kernel"], w["a.bias"], 2, True), "b": windows(x, 3, 2, True, -np.inf).max((3, 4))}, 1e-4)

    def test_transposed_convolution(self):
        x = np.random.default_rng(4).standard_normal((2, 4, 4, 3)).astype(np.float32)

        def full(kernel, size, stride):
            y = np.zeros((2, (4 - 1) * stride + size, (4 - 1) * stride + size, 5), np.float32)
            for i in range(4):
                for j in range(4):
                    y[:, i * stride:i * stride + size, j * stride:j * stride + size] += np.einsum("nc,cfij->nijf", x[:, i, j], kernel)
            return y

        self.check("""
            model m(x: f32[N, 4, 4, 3]) -> a: f32[N, 8, 8, 5], b: f32[N, 9, 9, 5] {
              return conv2d_transpose(x, 5, kernel=3, strides=2, padding=same, name="a"), conv2d_transpose(x, 5, kernel=3, strides=2, name="b")
            }""", {"x": x}, lambda w: {"a": full(w["a.kernel"], 3, 2)[:, :8, :8] + w["a.bias"], "b": full(w["b.kernel"], 3, 2) + w["b.bias"]}, 1e-4)

    def test_normalizations(self):
        x = np.random.default_rng(5).standard_normal((3, 4, 4, 8)).astype(np.float32)

        def expected(w):
            groups = normalize(x.reshape(3, 16, 2, 4), (1, 3)).reshape(x.shape)
            return {"a": (x - w["a.moving_mean"]) / np.sqrt(w["a.moving_variance"] + 1e-3) * w["a.gamma"] + w["a.beta"],
                    "b": normalize(x) * w["b.gamma"] + w["b.beta"], "c": x / np.sqrt((x ** 2).mean(-1, keepdims=True) + 1e-6) * w["c.gamma"],
                    "d": groups * w["d.gamma"] + w["d.beta"], "e": x / np.sqrt((x ** 2).sum(-1, keepdims=True))}

        self.check("""
            model m(x: f32[N, 4, 4, 8]) -> a: f32[N, 4, 4, 8], b: f32[N, 4, 4, 8], c: f32[N, 4, 4, 8], d: f32[N, 4, 4, 8], e: f32[N, 4, 4, 8] {
              x = dropout(x, 0.5)
              return batch_norm(x, name="a"), layer_norm(x, name="b"), rms_norm(x, name="c"), group_norm(x, groups=2, name="d"), l2_normalize(x)
            }""", {"x": x}, expected, 1e-4)

    def test_activations(self):
        x = np.linspace(-5, 5, 41, dtype=np.float32)[None]
        erf = np.vectorize(__import__("math").erf)
        scale, alpha = 1.0507009873554805, 1.6732632423543772
        known = {
            "relu": relu(x), "relu6": np.clip(x, 0, 6), "leaky_relu": np.where(x < 0, 0.3 * x, x), "elu": np.where(x < 0, np.expm1(x), x),
            "selu": scale * np.where(x < 0, alpha * np.expm1(x), x), "gelu": x / 2 * (1 + erf(x / np.sqrt(2))), "silu": x * sigmoid(x),
            "mish": x * np.tanh(np.log1p(np.exp(x))), "softplus": np.log1p(np.exp(x)), "softsign": x / (1 + abs(x)), "sigmoid": sigmoid(x),
            "tanh": np.tanh(x), "hard_sigmoid": np.clip(x / 6 + 0.5, 0, 1), "hard_silu": x * np.clip(x / 6 + 0.5, 0, 1), "hard_tanh": np.clip(x, -1, 1),
            "softmax": softmax(x), "log_softmax": np.log(softmax(x)), "linear": x}
        outputs = ", ".join(f"out_{name}: f32[N, 41]" for name in known)
        calls = ", ".join(f"{name}(x)" for name in known)
        self.check(f"model m(x: f32[N, 41]) -> {outputs} {{\n return {calls}\n}}", {"x": x}, lambda w: {"out_" + n: a.astype(np.float32) for n, a in known.items()})

    def test_expressions(self):
        x = np.random.default_rng(6).standard_normal((2, 5, 6)).astype(np.float32)
        self.check("""
            let half = 6 // 2
            model m(x: f32[N, T, 6]) -> a: f32[N, 6], b: f32[N, T, 3], c: f32[N, T, 6], d: f32[N, S, 6], e: f32[N, 3, T], f: f32[N, T, 12], g: f32[T, N, 6],
                h: f32[N, T], i: f32[N, U], j: i64[N, T], k: f32[N, T, 6], l: f32[N, T, 4, 6], o: f32[N, T, 6] {
              first, second = split(x, 2)
              y = none
              for i in 0..3 {
                y = x if i == 0 else y + x * i
              }
              return x[:, -1], x[..., half:], x[:, ::-1] ** 2 - x / 2, x[:, 1:-1], transpose(first), concat([x, -x]), transpose(x, [1, 0, 2]),
                     mean(x, axis=-1), reshape(x, [x.shape[0], -1]), argmax(x), where(x > 0 and x < 1, x, 0), one_hot(cast(x * 0, i32), classes=6)[:, :, :4, :], y
            }""", {"x": x}, lambda w: {
                "a": x[:, -1], "b": x[..., 3:], "c": x[:, ::-1] ** 2 - x / 2, "d": x[:, 1:-1], "e": x[..., :3].transpose(0, 2, 1), "f": np.concatenate([x, -x], -1),
                "g": x.transpose(1, 0, 2), "h": x.mean(-1), "i": x.reshape(2, -1), "j": x.argmax(-1), "k": np.where((x > 0) & (x < 1), x, 0),
                "l": np.broadcast_to(np.eye(6)[0], (2, 5, 4, 6)), "o": x * 4})

    def test_attention_and_positions(self):
        rng = np.random.default_rng(7)
        x, kv, tokens = rng.standard_normal((2, 5, 8)).astype(np.float32), rng.standard_normal((2, 3, 8)).astype(np.float32), np.array([[3, 1, 0, 0, 0], [1, 2, 3, 4, 0]], np.int32)
        t, i = np.arange(5)[:, None], np.arange(4)[None]
        angles = t / 10000 ** (2 * i / 8)
        turned = np.concatenate([x[..., :4] * np.cos(angles) - x[..., 4:] * np.sin(angles), x[..., 4:] * np.cos(angles) + x[..., :4] * np.sin(angles)], -1)
        self.check("""
            model m(x: f32[N, T, 8], kv: f32[N, S, 8], tokens: i32[N, T]) -> a: f32[N, T, 8], b: f32[N, T, 8], c: f32[N, T, 8], d: f32[N, T, 8], e: f32[N, T, 8], f: f32[N, T, 8] {
              a = multi_head_attention(x, heads=2, causal=true, name="a")
              b = multi_head_attention(x, heads=2, kv=kv, name="b")
              c = multi_head_attention(x, heads=4, mask=tokens != 0, name="c")
              embed = embedding(vocab=5, dim=8)
              return a, b, c, embed(tokens) + position_embedding(x, length=16, name="d"), x + sinusoidal_embedding(x), rotary_embedding(x)
            }""", {"x": x, "kv": kv, "tokens": tokens}, lambda w: {
                "a": attention(x, x, w, "a", 2, np.tril(np.ones((5, 5), bool))), "b": attention(x, kv, w, "b", 2), "c": attention(x, x, w, "c", 4, (tokens != 0)[:, None, None]),
                "d": w["embed.weight"][tokens] + w["d.weight"][:5], "e": x + np.stack([np.sin(angles), np.cos(angles)], -1).reshape(5, 8), "f": turned}, 1e-4)

    def test_recurrence(self):
        x = np.random.default_rng(10).standard_normal((2, 4, 3)).astype(np.float32)

        def lstm(w, p, steps):
            h = c = np.zeros((2, 5), np.float32)
            all_h = {}
            for t in steps:
                i, f, g, o = np.split(x[:, t] @ w[p + ".kernel"] + w[p + ".bias"] + h @ w[p + ".recurrent_kernel"], 4, 1)
                c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
                h = all_h[t] = sigmoid(o) * np.tanh(c)
            return np.stack([all_h[t] for t in range(4)], 1), h, c

        def gru(w, p):
            h = np.zeros((2, 5), np.float32)
            for t in range(4):
                a, b = x[:, t] @ w[p + ".kernel"] + w[p + ".bias"], h @ w[p + ".recurrent_kernel"] + w[p + ".recurrent_bias"]
                z, r = sigmoid(a[:, :5] + b[:, :5]), sigmoid(a[:, 5:10] + b[:, 5:10])
                h = z * h + (1 - z) * np.tanh(a[:, 10:] + r * b[:, 10:])
            return h

        def rnn(w, p):
            h = np.zeros((2, 5), np.float32)
            for t in range(4):
                h = relu(x[:, t] @ w[p + ".kernel"] + w[p + ".bias"] + h @ w[p + ".recurrent_kernel"])
            return h

        def expected(w):
            a, h, c = lstm(w, "a", range(4))
            forward, backward = lstm(w, "d.forward", range(4)), lstm(w, "d.backward", (3, 2, 1, 0))
            return {"a": a, "h": h, "c": c, "b": gru(w, "b"), "r": rnn(w, "r"), "d": np.concatenate([forward[0], backward[0]], -1)}

        text = """
            model m(x: f32[N, 4, 3]) -> a: f32[N, 4, 5], h: f32[N, 5], c: f32[N, 5], b: f32[N, 5], r: f32[N, 5], d: f32[N, 4, 10] {
              a, h, c = lstm(x, units=5, return_sequences=true, return_state=true, name="a")
              return a, h, c, gru(x, units=5, name="b"), rnn(x, units=5, activation=relu, name="r"),
                     bidirectional(x, lstm(units=5, return_sequences=true), name="d")
            }"""
        self.check(text, {"x": x}, expected, 1e-4)
        self.check(text.replace("N, 4", "N, T"), {"x": x}, expected, 1e-4)

    def test_shared_weights(self):
        x = np.random.default_rng(8).standard_normal((3, 4)).astype(np.float32)
        self.check("""
            block twice(x, units) {
              inner = dense(units=units, activation=tanh)
              return inner(inner(x))
            }
            model m(x: f32[N, 4]) -> y: f32[N, 4] {
              pair = twice(units=4)
              w = parameter([4], init=ones)
              return pair(pair(x)) * w
            }""", {"x": x}, lambda w: {"y": self.repeat(lambda a: np.tanh(a @ w["pair.inner.kernel"] + w["pair.inner.bias"]), x, 4) * w["w"]})

    @staticmethod
    def repeat(function, x, times):
        for _ in range(times):
            x = function(x)
        return x

    def test_examples_are_models(self):
        self.assertGreaterEqual(len(EXAMPLES), 5)
        for path in EXAMPLES:
            ir, said = self.call(OPT, path, "--compile-to=import")
            self.assertIn("train.program @" + os.path.basename(path)[:-4], ir)
            self.assertEqual(said, "")
        self.assertLessEqual(len([line for line in read(EXAMPLES[[os.path.basename(p) for p in EXAMPLES].index("mnist_cnn.mlc")]).splitlines() if line.strip()]), 20)


class Weights(ToolTest):
    """Weights from a file have to be those of the model."""
    MODEL = "model m(x: f32[N, 4]) -> y: f32[N, 2] {\n  return dense(x, units=2)\n}\n"

    def refuse(self, tensors, *said):
        with open(self.path("m.mlc"), "w") as file:
            file.write(self.MODEL)
        if isinstance(tensors, dict):
            save_safetensors(self.path("w.safetensors"), tensors)
        else:
            with open(self.path("w.safetensors"), "wb") as file:
                file.write(tensors)
        _, error = self.call(OPT, "m.mlc", "--load-weights=w.safetensors", "-o", "libm.so", code=1)
        for text in said:
            self.assertIn(text, error)

    def test_all_that_does_not_fit_is_said_at_once(self):
        self.refuse({"dense.kernal": np.zeros((4, 2), np.float32), "dense.bias": np.zeros(3, np.float32)},
                    "the weight 'dense.bias' does not fit: expected f32 [2], but got f32 [3]", "the weight 'dense.kernel' is missing", "did you mean 'dense.kernal'?",
                    "the tensor 'dense.kernal' of 'w.safetensors' is no weight of the model")

    def test_an_onnx_model_takes_them(self):
        made, _ = mlp()
        rng = np.random.default_rng(9)
        w, b, v = (rng.standard_normal(shape).astype(np.float32) for shape in ((4, 8), (8,), (8, 3)))
        save_safetensors(self.path("w.safetensors"), {"w": w, "b": b, "v": v})
        x = rng.standard_normal((5, 4)).astype(np.float32)
        got = self.run_model(self.compile(made, "--load-weights=w.safetensors"), {"x": x})
        np.testing.assert_allclose(got["y"], np.maximum(x @ w + b, 0) @ v, rtol=1e-5, atol=1e-5)
        save_safetensors(self.path("w.safetensors"), {"w": w, "u": v})
        _, error = self.call(OPT, "model.onnx", "--load-weights=w.safetensors", "-o", "libm.so", code=1)
        self.assertIn("the weight 'v' is missing", error)
        self.assertIn("the tensor 'u' of 'w.safetensors' is no weight of the model", error)

    def test_a_model_that_nobody_trained_has_initial_ones(self):
        with open(self.path("m.mlc"), "w") as file:
            file.write("model m(x: f32[N, 100]) -> y: f32[N, 200] {\n  return dense(x, units=200)\n}\n")
        got = self.run_model(self.compile(self.path("m.mlc")), {"x": np.eye(100, dtype=np.float32)})["y"]
        limit = np.sqrt(6 / 300)
        self.assertLessEqual(abs(got).max(), limit)
        self.assertGreater(abs(got).max(), 0.99 * limit)
        self.assertAlmostEqual(got.std(), limit / np.sqrt(3), delta=0.02 * limit)
        np.testing.assert_array_equal(got, self.run_model(self.compile(self.path("m.mlc"), library="libagain.so"), {"x": np.eye(100, dtype=np.float32)})["y"])

    def test_files_that_are_broken(self):
        def file(header, data=b""):
            return struct.pack("<Q", len(header)) + header + data

        entry = b'{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
        self.refuse(b"abc", "expected at least 8 bytes, but got 3")
        self.refuse(struct.pack("<Q", 1 << 40) + b"{}", "expected a header of at most")
        self.refuse(file(b"[]"), "does not start with '{'")
        self.refuse(file(b"{"), "not a JSON object")
        self.refuse(file(b'{"a":1}'), "tensor 'a': expected dtype, shape and data_offsets")
        self.refuse(file(b'{"a":' + entry + b',"a":' + entry + b"}", b"1234"), "the tensor 'a' is there twice")
        self.refuse(file(b'{"a":' + entry + b"}", b"123"), "truncated: tensor 'a': ends at byte 4 of 3")
        self.refuse(file(b'{"a":' + entry + b"}", b"12345"), "expected 4 bytes of data, but got 5")
        self.refuse(file(b'{"a":' + entry + b',"b":' + entry + b"}", b"1234"), "overlap at byte 0")
        self.refuse(file(b'{"a":' + entry.replace(b"F32", b"F3") + b"}", b"1234"), "unsupported element type F3")


class Guide(ToolTest):
    """docs/Language.md: its examples compile, its reference is complete; the grammar for editors knows all words."""

    def language(self):
        return json.loads(self.call(OPT, "--language")[0])

    def test_examples_compile(self):
        blocks = re.findall(r"```mlc\n(.*?)```", read(os.path.join(ROOT, "docs", "Language.md")), re.S)
        self.assertGreaterEqual(len(blocks), 8)
        for block in blocks:
            text = block if "model " in block else block + "\nmodel m(x: f32[N, 4]) -> y: f32[N, 4] {\n  return x\n}\n"
            with open(self.path("example.mlc"), "w") as file:
                file.write(text)
            self.call(OPT, "example.mlc", "--compile-to=import")

    def test_reference_is_complete(self):
        text, language = read(os.path.join(ROOT, "docs", "Language.md")), self.language()
        for function in language["functions"]:
            self.assertIn(f"`{function['signature']}`", text, "docs/Language.md is stale; run tools/dev/reference.py")
            self.assertIn(function["summary"], text)
        for members in language["groups"].values():
            for member in members:
                self.assertIn(f"`{member['signature']}`", text, "docs/Language.md is stale; run tools/dev/reference.py")

    def test_grammar_knows_all_words(self):
        grammar = json.loads(read(os.path.join(ROOT, "docs", "editors", "mlc.tmLanguage.json")))
        language = self.language()
        patterns = [p["match"] for rule in grammar["repository"].values() for p in rule["patterns"] if "match" in p]
        words = language["keywords"] + language["types"] + [f["name"] for f in language["functions"]]
        for members in language["groups"].values():
            words += [member["name"] for member in members]
        for word in words:
            self.assertTrue(any(re.search(rf"(?<![\w]){re.escape(word)}(?![\w])", pattern) for pattern in patterns), word)
        self.assertEqual(grammar["fileTypes"], ["mlc"])


class Broken(ToolTest):
    def test_no_text_makes_it_fail(self):
        """Every mutation of an example is a model, or an error with its place."""
        random.seed(0)
        tokens = [re.findall(r"\s+|\w+|[^\w\s]", read(path)) for path in EXAMPLES]
        pool = [token for text in tokens for token in text] + ["-1", "0", "1e400", "9223372036854775807", "99999999999999999999", '"', "..", "**", "\0", "é", "[[1]]"]
        for _ in range(60):
            text = list(random.choice(tokens))
            for _ in range(random.choice([1, 1, 2, 3])):
                at, what = random.randrange(len(text)), random.randrange(3)
                if what == 0:
                    text[at] = random.choice(pool)
                elif what == 1:
                    text.insert(at, random.choice(pool))
                else:
                    del text[at]
            with open(self.path("broken.mlc"), "w") as file:
                file.write("".join(text))
            done = subprocess.run([OPT, self.path("broken.mlc"), "--compile-to=import"], capture_output=True, text=True, errors="replace", timeout=60)
            self.assertIn(done.returncode, (0, 1), "".join(text) + done.stderr)
            if done.returncode:
                self.assertRegex(done.stderr, r"broken\.mlc:\d+:\d+: error: ")
                self.assertNotIn("a bug of mlc", done.stderr)


if __name__ == "__main__":
    unittest.main()
