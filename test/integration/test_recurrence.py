"""LSTM, GRU and RNN in all their variants against a reference in NumPy, which is checked against ONNX Runtime; Scan and Loop."""
import unittest

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T
from onnx import helper as h

from support import OPT, RUN, ToolTest, model, value, weights

ACTIVATIONS = {  # name: (function of x, alpha and beta; which of the two it takes)
    "Affine": (lambda x, a, b: a * x + b, "ab"), "Relu": (lambda x, a, b: np.maximum(x, 0), ""),
    "LeakyRelu": (lambda x, a, b: np.where(x < 0, a * x, x), "a"), "ThresholdedRelu": (lambda x, a, b: np.where(x > a, x, 0), "a"),
    "Tanh": (lambda x, a, b: np.tanh(x), ""), "ScaledTanh": (lambda x, a, b: a * np.tanh(b * x), "ab"),
    "Sigmoid": (lambda x, a, b: 1 / (1 + np.exp(-x)), ""), "HardSigmoid": (lambda x, a, b: np.clip(a * x + b, 0, 1), "ab"),
    "Elu": (lambda x, a, b: np.where(x < 0, a * (np.exp(x) - 1), x), "a"), "Softsign": (lambda x, a, b: x / (1 + np.abs(x)), ""),
    "Softplus": (lambda x, a, b: np.log1p(np.exp(x)), "")}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}


class Net:
    """A random node with its inputs, and what it should give."""

    def __init__(self, op, seed, direction, layout=0, steps=5, batch=3, features=4, hidden=6, lengths=False, bias=True, initial=False,
                 peepholes=False, activations=None, dtype=np.float64, **attributes):
        rng = np.random.default_rng(seed)
        count, gates = 2 if direction == "bidirectional" else 1, GATES[op]
        draw = lambda *shape: rng.uniform(-0.8, 0.8, shape).astype(dtype)
        self.op, self.dtype, self.hidden, self.count, self.layout = op, dtype, hidden, count, layout
        self.feeds = {"X": draw(steps, batch, features), "W": draw(count, gates * hidden, features), "R": draw(count, gates * hidden, hidden)}
        if bias:
            self.feeds["B"] = draw(count, 2 * gates * hidden)
        if lengths:
            self.feeds["L"] = rng.integers(1, steps + 1, batch).astype(np.int32)
            self.feeds["L"][-1] = steps
        if initial:
            self.feeds["H"] = draw(count, batch, hidden)
            if op == "LSTM":
                self.feeds["C"] = draw(count, batch, hidden)
        if peepholes:
            self.feeds["P"] = draw(count, 3 * hidden)
        names = (activations or DEFAULTS[op]) * count
        self.functions = []
        alphas, betas = [], []
        for name in names:
            function, takes = ACTIVATIONS[name]
            a, b = np.float32(rng.uniform(0.2, 1.0)), np.float32(rng.uniform(0.2, 1.0))
            alphas += [float(a)] * ("a" in takes)
            betas += [float(b)] * ("b" in takes)
            self.functions.append(lambda x, function=function, a=a, b=b: function(x, a, b))
        if activations:
            attributes.update(activations=names)
            if alphas:
                attributes["activation_alpha"] = alphas
            if betas:
                attributes["activation_beta"] = betas
        self.attributes = dict(attributes, direction=direction, hidden_size=hidden)
        if layout:
            self.attributes["layout"] = 1

    def activate(self, direction, which, x):
        clip = self.attributes.get("clip")
        x = x if clip is None or which == 2 else np.clip(x, -clip, clip)  # the cell of an LSTM stays
        return self.functions[direction * len(DEFAULTS[self.op]) + which](x)

    def step(self, d, x, h, c, weights, recurrence, input_bias, hidden_bias, peepholes):
        size = self.hidden
        gate = lambda v, i: v[i * size:(i + 1) * size]
        xs, hs = weights @ x + input_bias, recurrence @ h + hidden_bias
        if self.op == "RNN":
            return self.activate(d, 0, xs + hs), c
        if self.op == "GRU":
            z, r = (self.activate(d, 0, gate(xs + hs, i)) for i in (0, 1))
            if self.attributes.get("linear_before_reset"):
                n = gate(xs, 2) + r * gate(hs, 2)
            else:
                n = gate(xs, 2) + gate(recurrence, 2) @ (r * h) + gate(hidden_bias, 2)
            return (1 - z) * self.activate(d, 1, n) + z * h, c
        i = self.activate(d, 0, gate(xs + hs, 0) + gate(peepholes, 0) * c)
        f = 1 - i if self.attributes.get("input_forget") else self.activate(d, 0, gate(xs + hs, 2) + gate(peepholes, 2) * c)
        c = f * c + i * self.activate(d, 1, gate(xs + hs, 3))
        o = self.activate(d, 0, gate(xs + hs, 1) + gate(peepholes, 1) * c)
        return o * self.activate(d, 2, c), c

    def expected(self):
        """One sequence after the other, each over its own length."""
        x = self.feeds["X"].astype(np.float64)
        steps, batch, size = x.shape[0], x.shape[1], self.hidden
        y = np.zeros((steps, self.count, batch, size))
        last_h, last_c = np.zeros((2, self.count, batch, size))
        for d in range(self.count):
            take = lambda name, otherwise: self.feeds[name][d].astype(np.float64) if name in self.feeds else otherwise
            biases = np.split(take("B", np.zeros(2 * GATES[self.op] * size)), 2)
            for n in range(batch):
                h, c = (take(name, np.zeros((batch, size)))[n] for name in "HC")
                places = list(range(int(self.feeds["L"][n]) if "L" in self.feeds else steps))
                if d == 1 or self.attributes["direction"] == "reverse":
                    places.reverse()
                for t in places:
                    h, c = self.step(d, x[t, n], h, c, take("W", None), take("R", None), *biases, take("P", np.zeros(3 * size)))
                    y[t, d, n] = h
                last_h[d, n], last_c[d, n] = h, c
        return {"Y": y, "YH": last_h, **({"YC": last_c} if self.op == "LSTM" else {})}

    def build(self, symbolic=False, constants=(), outputs=None, opset=17, names="XWRBLHCP"):
        kinds = {np.float16: T.FLOAT16, np.float32: T.FLOAT, np.float64: T.DOUBLE}
        everything = ["Y", "YH", "YC"][:3 if self.op == "LSTM" else 2]
        outputs = outputs or everything
        inputs = [name if name in self.feeds else "" for name in names[:8 if self.op == "LSTM" else 6]]
        node = h.make_node(self.op, inputs, [name if name in outputs else "" for name in everything], **self.attributes)
        batch_axes = {"X": (1, "batch"), "L": (0, "batch"), "H": (1, "batch"), "C": (1, "batch")}
        declared, initializers = [], []
        for name in inputs:
            if not name:
                continue
            array = self.laid_out(name, self.feeds[name])
            if name in constants:
                initializers.append(weights(name, array))
                continue
            shape = list(array.shape)
            if symbolic and name in batch_axes:
                shape = list(self.feeds[name].shape)
                shape[batch_axes[name][0]] = "batch"
                if name == "X":
                    shape[0] = "steps"
                shape = self.laid_out(name, np.array(shape, object), axes=True)
            declared.append(value(name, list(shape), T.INT32 if name == "L" else kinds[self.dtype]))
        ranks = {"Y": 4, "YH": 3, "YC": 3}
        return model([node], declared, [value(name, [None] * ranks[name], kinds[self.dtype]) for name in outputs], initializers, opset=opset)

    def laid_out(self, name, array, axes=False):
        """An array, or its shape, as the node's layout wants it."""
        order = {"X": [1, 0, 2], "H": [1, 0, 2], "C": [1, 0, 2], "Y": [2, 0, 1, 3], "YH": [1, 0, 2], "YC": [1, 0, 2]}.get(name)
        if not self.layout or not order:
            return array
        return array[order] if axes else array.transpose(order)

    def arrays(self, constants=()):
        return {name: np.ascontiguousarray(self.laid_out(name, array)) for name, array in self.feeds.items() if name not in constants}


class Recurrence(ToolTest):
    def check(self, net, *flags, tolerance=None, **how):
        constants = how.get("constants", ())
        library = self.compile(net.build(**how), *flags)
        got = self.run_model(library, net.arrays(constants))
        tolerance = tolerance or {np.float16: 5e-3, np.float32: 2e-5, np.float64: 1e-10}[net.dtype]
        for name, want in net.expected().items():
            if name in got:
                np.testing.assert_allclose(got[name], net.laid_out(name, want), rtol=tolerance, atol=tolerance, err_msg=f"{net.op} {net.attributes} {name}")
        return library

    def test_reference(self):
        """The oracle itself, where ONNX Runtime has the variant."""
        for op in GATES:
            for i, direction in enumerate(("forward", "reverse", "bidirectional")):
                peepholes = {"peepholes": True} if op == "LSTM" and i else {}
                more = {"linear_before_reset": i % 2} if op == "GRU" else {"input_forget": i % 2} if op == "LSTM" else {}
                if i:
                    more["clip"] = 0.3
                activations = list(ACTIVATIONS)[3 * i:3 * i + len(DEFAULTS[op])] if i < 2 else None
                net = Net(op, i, direction, dtype=np.float32, lengths=i > 0, initial=i != 1, activations=activations, **peepholes, **more)
                session = onnxruntime.InferenceSession(net.build(opset=14).SerializeToString(), providers=["CPUExecutionProvider"])
                got = dict(zip((o.name for o in session.get_outputs()), session.run(None, net.arrays())))
                for name, want in net.expected().items():
                    np.testing.assert_allclose(got[name], want, rtol=1e-4, atol=1e-5, err_msg=f"{op} {direction} {name}")

    def test_variants(self):
        """Directions, layouts, lengths, initial states, clips; weights as inputs and as constants; every level."""
        for seed in range(24):
            rng = np.random.default_rng(seed)
            op, direction = list(GATES)[seed % 3], ["forward", "reverse", "bidirectional"][seed // 3 % 3]
            flag = lambda: bool(rng.integers(2))
            more = {"peepholes": flag(), **({"input_forget": 1} if flag() else {})} if op == "LSTM" else {}
            if op == "GRU" and flag():
                more["linear_before_reset"] = 1
            if flag():
                more["clip"] = 0.5
            net = Net(op, seed, direction, layout=int(flag()), steps=int(rng.integers(1, 9)), batch=int(rng.integers(1, 6)),
                      features=int(rng.integers(1, 20)), hidden=int(rng.integers(1, 40)), lengths=flag(), bias=flag(), initial=flag(),
                      dtype=[np.float32, np.float64][int(flag())], **more)
            symbolic, constants = flag(), "WRBP" if flag() else ""
            for level in ("-O0", "-O3"):
                with self.subTest(seed=seed, level=level):
                    self.check(net, level, symbolic=symbolic, constants=constants)

    def test_activations(self):
        names = list(ACTIVATIONS)
        for i, name in enumerate(names):
            op = list(GATES)[i % 3]
            chosen = [names[(i + k) % len(names)] for k in range(len(DEFAULTS[op]))]
            for dtype in (np.float32, np.float64):
                self.check(Net(op, i, "bidirectional", activations=chosen, clip=2.0, dtype=dtype), "-O3")

    def test_halves(self):
        for op in GATES:
            self.check(Net(op, 3, "bidirectional", dtype=np.float16, lengths=True), opset=14)

    def test_large_batches_and_states(self):
        """Products with several tiles, on several threads, with the same bits for any number of them."""
        for op in GATES:
            net = Net(op, 4, "bidirectional", steps=6, batch=37, features=65, hidden=130, dtype=np.float32)
            library = self.check(net, constants="WRB", symbolic=True, tolerance=2e-4)
            one, four = (self.run_model(library, net.arrays("WRB"), "--threads", n) for n in "14")
            for name in one:
                self.assertEqual(one[name].tobytes(), four[name].tobytes())

    def test_outputs_that_are_left_out(self):
        for op in GATES:
            for outputs in (["Y"], ["YH"], ["Y", "YH"]) + ((["YC"],) if op == "LSTM" else ()):
                self.check(Net(op, 5, "forward"), outputs=list(outputs))

    def test_old_opsets(self):
        for op in GATES:
            for opset in (7, 14, 22):
                self.check(Net(op, 6, "reverse", dtype=np.float32), opset=opset)

    def test_no_steps(self):
        net = Net("GRU", 7, "forward", steps=0, initial=True, dtype=np.float32)
        got = self.run_model(self.compile(net.build(symbolic=True)), net.arrays())
        self.assertEqual(got["Y"].shape, (0, 1, 3, 6))
        np.testing.assert_array_equal(got["YH"], net.feeds["H"])

    def test_a_batch_that_does_not_fit(self):
        net = Net("RNN", 8, "forward", initial=True, dtype=np.float32)
        made = net.build()
        made.graph.input[-1].type.tensor_type.shape.dim[1].dim_param = "other"
        np.save(self.path("h.npy"), np.zeros((1, 2, 6), np.float32))
        out, err = self.call(RUN, self.compile(made), "--input", f"H={self.path('h.npy')}", code=1)
        self.assertIn("node 'Y'", out + err)

    def test_errors(self):
        for attributes, message in (({"direction": "sideways"}, "expected forward, reverse or bidirectional"),
                                    ({"activations": ["Tanh", "Tanh"]}, "expected 1 activations, but got 2"),
                                    ({"activations": ["Gelu"]}, "unsupported activation 'Gelu'"), ({"clip": -1.0}, "expected a positive clip")):
            net = Net("RNN", 9, "forward")
            net.attributes.update(attributes)
            onnx.save(net.build(), self.path("bad.onnx"))
            out, err = self.call(OPT, self.path("bad.onnx"), "--report", code=1)
            self.assertIn(message, out + err)


class Loops(ToolTest):
    def test_scan(self):
        """States that swap, an old state as an output, directions and axes of their own, a value from outside."""
        body = h.make_graph([h.make_node("Add", ["a", "b"], ["sum"]), h.make_node("Mul", ["u", "w"], ["scaled"]), h.make_node("Add", ["sum", "scaled"], ["next"]),
                             h.make_node("Identity", ["b"], ["moved"]), h.make_node("Identity", ["a"], ["old"]), h.make_node("Sub", ["u", "v"], ["gap"])],
                            "step", [value(name, None) for name in "abuv"], [value(name, None) for name in ("moved", "next", "old", "gap")])
        node = h.make_node("Scan", ["a0", "b0", "x", "y"], ["a1", "b1", "olds", "gaps"], body=body, num_scan_inputs=2, scan_input_axes=[0, 1],
                           scan_input_directions=[0, 1], scan_output_directions=[1, 0], scan_output_axes=[0, -1])
        names = ("a1", "b1", "olds", "gaps")
        for steps in (1, 5):
            for level in ("-O0", "-O3"):
                for symbolic in (False, True):
                    rng = np.random.default_rng(steps)
                    t = "t" if symbolic else steps
                    made = model([node], [value("a0", [3]), value("b0", [3]), value("x", [t, 3]), value("y", [3, t]), value("w", [3])],
                                 [value(name, None) for name in names])
                    feeds = {name: rng.standard_normal(shape).astype(np.float32)
                             for name, shape in {"a0": 3, "b0": 3, "x": (steps, 3), "y": (3, steps), "w": 3}.items()}
                    a, b, olds, gaps = feeds["a0"], feeds["b0"], [], []
                    for i in range(steps):
                        u, v = feeds["x"][i], feeds["y"][:, steps - 1 - i]
                        olds.append(a)
                        gaps.append(u - v)
                        a, b = b, a + b + u * feeds["w"]
                    want = {"a1": a, "b1": b, "olds": np.stack(olds[::-1]), "gaps": np.stack(gaps, -1)}
                    got = self.run_model(self.compile(made, level), feeds)
                    for name in names:
                        np.testing.assert_allclose(got[name], want[name], rtol=1e-5, atol=1e-5, err_msg=name)

    def loop(self, condition):
        nodes = [h.make_node("Add", ["state", "one"], ["next"]), h.make_node("Cast", ["i"], ["number"], to=T.FLOAT), h.make_node("Mul", ["next", "number"], ["out"]), condition]
        body = h.make_graph(nodes, "step", [value("i", [], T.INT64), value("go", [], T.BOOL), value("state", [2])],
                            [value("go_on", [], T.BOOL), value("next", [2]), value("out", [2])])
        node = h.make_node("Loop", ["count", "first", "s"], ["last", "all"], body=body)
        return model([node], [value("count", [], T.INT64), value("first", [], T.BOOL), value("s", [2])], [value("last", [2]), value("all", ["n", 2])],
                     [weights("one", np.float32(1))])

    def test_loop(self):
        library = self.compile(self.loop(h.make_node("Identity", ["go"], ["go_on"])))
        start = np.array([1, 2], np.float32)
        for count, first in ((4, True), (0, True), (-1, True), (4, False)):
            got = self.run_model(library, {"count": np.array(count), "first": np.array(first), "s": start})
            steps = max(count, 0) if first else 0
            np.testing.assert_array_equal(got["last"], start + steps)
            np.testing.assert_array_equal(got["all"], np.array([(start + i + 1) * i for i in range(steps)], np.float32).reshape(-1, 2))

    def test_loop_that_may_end_early(self):
        ends = h.make_node("Less", ["out", "out"], ["go_on"])
        onnx.save(self.loop(ends), self.path("early.onnx"))
        out, err = self.call(OPT, self.path("early.onnx"), "--report", code=1)
        self.assertIn("unsupported Loop that may end before its trip count", out + err)


if __name__ == "__main__":
    unittest.main()
