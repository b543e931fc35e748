"""Causal attention with its gradients and products with triangular matrices, of which kernels compute a half, against NumPy in f64."""
import ctypes
import glob
import operator
import re
import unittest

import numpy as np
import onnx

from support import ToolTest
from test_gradient import Typed
from test_language import save_safetensors

TOLERANCES = {"f32": (np.float32, 3e-5), "f64": (np.float64, 1e-13)}  # of the largest element
# Queries and keys: less than a vector, whole vectors and tiles, a rest behind them (a last row that sees the first column of the last
# panel), sums of several blocks, and more of the one than of the other.
LENGTHS = [(n, n) for n in (1, 2, 5, 17, 33, 64, 65, 130, 300)] + [(17, 64), (64, 17), (1, 33), (33, 1), (130, 300), (300, 130)]
BATCH, HEADS, DEPTH, WIDTH = 2, 3, 24, 17


def attend(q, k, v, seen, dy, scale=1.0, keep=True):
    """Attention with what `seen` hides left out, and -1e9 where not `keep`: the result, the weights, and the gradients of q, k and v."""
    scores = np.where(seen, np.where(keep, q @ np.swapaxes(k, -1, -2) * scale, -1e9), -np.inf)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    dp = dy @ np.swapaxes(v, -1, -2)
    ds = np.where(seen & keep, p * (dp - (dp * p).sum(-1, keepdims=True)), 0) * scale
    across = lambda x: np.swapaxes(x, -1, -2)
    return p @ v, p, ds @ k, across(ds) @ q, across(p) @ dy


def tensor(kind, axes):
    return f"tensor<{''.join(f'{axis}x' if isinstance(axis, int) else '?x' for axis in axes)}{kind}>"


def named(name, kind, axes):
    """The type of an argument or a result, with its name and the names of its sizes."""
    symbols = ", ".join('""' if isinstance(axis, int) else f'"{axis}"' for axis in axes)
    return f'{tensor(kind, axes)} {{mlc.name = "{name}", mlc.symbols = [{symbols}]}}'


def mask(tag, holders, rows, columns, predicate, offset):
    """Lines that make %seen of a comparison of columns with rows plus an offset; a size by name is that of its holder, (value, axis, type)."""
    sizes, lines = [], []
    for name, size, (holder, axis, kind) in zip(("rows", "columns"), (rows, columns), holders):
        sizes.append(str(size) if isinstance(size, int) else f"%{tag}{name}")
        if not isinstance(size, int):
            lines.append(f"%{tag}{name} = tensor.dim %{holder}, %axis{axis} : {kind}")
    i, j, m = tensor("i64", [rows, 1]), tensor("i64", [1, columns]), tensor("i1", [rows, columns])
    return lines + [f"%{tag}i = graph.iota axis = 0 sizes [{sizes[0]}, 1] of i64 : {i}",
                    f"%{tag}j = graph.iota axis = 1 sizes [1, {sizes[1]}] of i64 : {j}",
                    f"%{tag}offset = graph.constant dense<{offset}> : tensor<i64>",
                    f"%{tag}last = graph.add %{tag}i, %{tag}offset : ({i}, tensor<i64>) -> {i}",
                    f"%{tag}seen = graph.compare {predicate} %{tag}j, %{tag}last : ({j}, {i}) -> {m}"]


def function(arguments, lines, results):
    """A function of (name, kind, axes) each, whose results are values of their names."""
    axes = [f"%axis{n} = arith.constant {n} : index" for n in range(4)]
    ends = [f"return {', '.join('%' + name for name, _, _ in results)} : {', '.join(tensor(kind, axes) for _, kind, axes in results)}"]
    return (f"func.func @f({', '.join(f'%{name}: {named(name, kind, axes)}' for name, kind, axes in arguments)})"
            f" -> ({', '.join(named(*result) for result in results)}) {{\n  " + "\n  ".join(axes + lines + ends) + "\n}\n")


class Triangles(ToolTest):
    def count(self, phase, kernel):
        """How many kernels have a triangle."""
        path, = glob.glob(self.path(f"phases/*-{phase}.mlir"))
        with open(path) as file:
            return len(re.findall(rf"{kernel} .*\btriangle \[", file.read()))

    def compile_text(self, text, *flags):
        with open(self.path("f.mlir"), "w") as file:
            file.write(text)
        return self.compile(self.path("f.mlir"), "--dump-phases-to=phases", *flags)

    def assert_close(self, got, wanted, kind, message):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=TOLERANCES[kind][1] * max(1, np.nanmax(np.abs(wanted), initial=0)), err_msg=message)


class Attention(Triangles):
    """Cases are a name, the numbers of queries and keys, how many keys behind itself a query sees, and whether all heads share the keys."""

    def compile_cases(self, kind, cases, *flags):
        arguments, lines, results = [], [], []
        for tag, queries, keys, offset, shared in cases:
            heads = [BATCH, HEADS]
            of_keys = [] if shared else heads
            axes = {"q": [*heads, queries, DEPTH], "k": [*of_keys, keys, DEPTH], "v": [*of_keys, keys, WIDTH], "dy": [*heads, queries, WIDTH],
                    "kt": [*of_keys, DEPTH, keys], "p": [*heads, queries, keys]}
            q, k, v, dy, kt, p = (tensor(kind, axes[name]) for name in ("q", "k", "v", "dy", "kt", "p"))
            arguments += [(name + tag, kind, axes[name]) for name in ("q", "k", "v", "dy")]
            results += [(name + tag, kind, axes[like]) for name, like in (("y", "dy"), ("p", "p"), ("dq", "q"), ("dk", "k"), ("dv", "v"))]
            lines += mask(tag, [(f"q{tag}", 2, q), (f"k{tag}", len(of_keys), k)], queries, keys, "le", offset)
            lines += [f"%{tag}low = graph.constant dense<{'0xFF800000' if kind == 'f32' else '0xFFF0000000000000'}> : tensor<{kind}>",
                      f"%{tag}kt = graph.transpose %k{tag} {{permutation = array<i64: {'1, 0' if shared else '0, 1, 3, 2'}>}} : ({k}) -> {kt}",
                      f"%{tag}s = graph.matmul %q{tag}, %{tag}kt : ({q}, {kt}) -> {p}",
                      f"%{tag}m = graph.select %{tag}seen, %{tag}s, %{tag}low : ({tensor('i1', [queries, keys])}, {p}, tensor<{kind}>) -> {p}",
                      f"%p{tag} = graph.softmax %{tag}m {{axis = 3 : i64}} : ({p}) -> {p}",
                      f"%y{tag} = graph.matmul %p{tag}, %v{tag} : ({p}, {v}) -> {dy}",
                      f"%{tag}z = graph.mul %y{tag}, %dy{tag} : ({dy}, {dy}) -> {dy}",
                      f"%{tag}loss = graph.reduce sum %{tag}z {{axes = array<i64: 0, 1, 2, 3>}} : ({dy}) -> tensor<{kind}>",
                      f"%dq{tag}, %dk{tag}, %dv{tag} = train.gradient %{tag}loss wrt %q{tag}, %k{tag}, %v{tag}"
                      f" : (tensor<{kind}>, {q}, {k}, {v}) -> ({q}, {k}, {v})"]
        return self.compile_text(function(arguments, lines, results), *flags)

    def compare(self, library, kind, cases, message):
        rng = np.random.default_rng(8)
        feeds, wanted = {}, {}
        dtype = TOLERANCES[kind][0]
        for tag, queries, keys, offset, shared in cases:
            heads = (BATCH, HEADS)
            of_keys = () if shared else heads
            q, k, v, dy = (rng.standard_normal(shape).astype(dtype) for shape in (
                (*heads, queries, DEPTH), (*of_keys, keys, DEPTH), (*of_keys, keys, WIDTH), (*heads, queries, WIDTH)))
            q /= 4  # so that many keys have a weight
            feeds.update({"q" + tag: q, "k" + tag: k, "v" + tag: v, "dy" + tag: dy})
            seen = np.arange(keys) <= np.arange(queries)[:, None] + offset
            y, p, dq, dk, dv = attend(*(array.astype(np.float64) for array in (q, k, v)), seen, dy.astype(np.float64))
            if shared:
                dk, dv = dk.sum((0, 1)), dv.sum((0, 1))
            wanted.update({"y" + tag: y, "p" + tag: p, "dq" + tag: dq, "dk" + tag: dk, "dv" + tag: dv})
        got = self.run_model(library, feeds, "--threads", "1")
        for name, array in wanted.items():
            self.assert_close(got[name], array, kind, f"{name} {message} {cases}")
        for name, array in self.run_model(library, feeds, "--threads", "2").items():
            self.assertEqual(array.tobytes(), got[name].tobytes(), f"{name} {message} {cases}")

    def check_symbolic(self, kind, *flags):
        library = self.compile_cases(kind, [("", "T", "S", 0, False), ("o", "U", "V", 2, True)], *flags)
        if "-O0" not in flags:
            # Scores, the gradient of the weights, the result, and the gradients but for those of shared keys and values, which sum over heads.
            self.assertGreaterEqual(self.count("linalg", "kernel.rows"), 2)
            self.assertGreaterEqual(self.count("linalg", "kernel.contract"), 6 + 4)
        for queries, keys in LENGTHS:
            self.compare(library, kind, [("", queries, keys, 0, False), ("o", queries, keys, 2, True)], f"{kind} {flags}")

    def test_native_vectors(self):
        self.check_symbolic("f32")

    def test_f64(self):
        self.check_symbolic("f64")

    def test_narrow_vectors(self):
        self.check_symbolic("f32", "--mcpu=x86-64-v3")
        self.check_symbolic("f32", "--mcpu=x86-64-v2")

    def test_plain_code(self):
        self.check_symbolic("f32", "-O0")

    def test_known_sizes(self):
        cases = [(f"_{queries}_{keys}", queries, keys, 0, i % 2 == 1) for i, (queries, keys) in enumerate(LENGTHS)]
        library = self.compile_cases("f32", cases)
        # Where there are few queries or keys, rows are not kernels.
        self.assertGreaterEqual(self.count("linalg", "kernel.rows"), 8)
        self.assertGreaterEqual(self.count("linalg", "kernel.contract"), 8 * 4)
        self.compare(library, "f32", cases, "known")


class Empty(Triangles):
    """A softmax of rows that see no column is NaN, and so is what is computed of its weights."""

    # Columns compared with rows plus an offset, rows, columns; few columns are no kernel over rows.
    CASES = [("le", -5, 70, 20), ("le", -40, 70, 3), ("ge", 0, 70, 20), ("ge", 0, 70, 3), ("gt", 3, 20, 20)]

    def check(self, *flags):
        arguments, lines, results = [], [], []
        for i, (predicate, offset, _, _) in enumerate(self.CASES):
            rows, columns = f"T{i}", f"S{i}" if i % 2 == 0 else 3
            s, v, y, m = (tensor(kind, axes) for kind, axes in (("f32", [rows, columns]), ("f32", [columns, 8]), ("f32", [rows, 8]), ("i1", [rows, columns])))
            arguments += [(f"s{i}", "f32", [rows, columns]), (f"v{i}", "f32", [columns, 8])]
            results += [(f"p{i}", "f32", [rows, columns]), (f"y{i}", "f32", [rows, 8])]
            lines += mask(f"m{i}", [(f"s{i}", 0, s), (f"s{i}", 1, s)], rows, columns, predicate, offset)
            lines += [f"%low{i} = graph.constant dense<0xFF800000> : tensor<f32>",
                      f"%h{i} = graph.select %m{i}seen, %s{i}, %low{i} : ({m}, {s}, tensor<f32>) -> {s}",
                      f"%p{i} = graph.softmax %h{i} {{axis = 1 : i64}} : ({s}) -> {s}", f"%y{i} = graph.matmul %p{i}, %v{i} : ({s}, {v}) -> {y}"]
        library = self.compile_text(function(arguments, lines, results), *flags)
        rng = np.random.default_rng(13)
        feeds = {}
        for i, (_, _, rows, columns) in enumerate(self.CASES):
            feeds[f"s{i}"], feeds[f"v{i}"] = (rng.standard_normal(shape).astype(np.float32) for shape in ((rows, columns), (columns, 8)))
        got = self.run_model(library, feeds)
        compare = {"le": operator.le, "ge": operator.ge, "gt": operator.gt}
        for i, (predicate, offset, rows, columns) in enumerate(self.CASES):
            seen = compare[predicate](np.arange(columns), np.arange(rows)[:, None] + offset)
            self.assertFalse(seen.any(1).all(), "some rows see nothing")
            with np.errstate(all="ignore"):
                p = np.where(seen, np.exp(feeds[f"s{i}"].astype(np.float64)), 0)
                p /= p.sum(1, keepdims=True)
            self.assert_close(got[f"p{i}"], p, "f32", f"p {self.CASES[i]} {flags}")
            self.assert_close(got[f"y{i}"], p @ feeds[f"v{i}"], "f32", f"y {self.CASES[i]} {flags}")

    def test_optimised_and_plain(self):
        self.check()
        self.check("-O0")


class Layers(Triangles):
    """The gradients of layers of attention by their inputs, also with a mask besides, which may hide all that a query sees."""

    FEATURES = 24

    def project(self, x, weights, name, heads):
        y = x @ weights[name + ".kernel"] + weights[name + ".bias"]
        return y.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)

    def layer(self, x, kv, weights, name, heads, dy, keep):
        """The result, and the gradients of x and kv."""
        q, k, v = (self.project(of, weights, f"{name}.{part}", heads) for of, part in ((x, "query"), (kv, "key"), (kv, "value")))
        seen = np.arange(k.shape[2]) <= np.arange(q.shape[2])[:, None]
        join = lambda y: y.transpose(0, 2, 1, 3).reshape(y.shape[0], y.shape[2], -1)
        back = lambda y, part: join(y) @ weights[f"{name}.{part}.kernel"].T
        d = (dy @ weights[name + ".output.kernel"].T).reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)
        y, _, dq, dk, dv = attend(q, k, v, seen, d, 1 / np.sqrt(q.shape[-1]), keep)
        return join(y) @ weights[name + ".output.kernel"] + weights[name + ".output.bias"], back(dq, "query"), back(dk, "key") + back(dv, "value")

    def check(self, *flags):
        rng = np.random.default_rng(9)
        draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)
        parts = [f"{name}.{part}" for name in "ab" for part in ("query", "key", "value", "output")]
        weights = {part + ".kernel": draw(self.FEATURES, self.FEATURES) / 5 for part in parts}
        weights.update({part + ".bias": draw(self.FEATURES) for part in parts})
        save_safetensors(self.path("w.safetensors"), weights)
        weights = {name: array.astype(np.float64) for name, array in weights.items()}
        with open(self.path("m.mlc"), "w") as file:
            file.write("""
                model m(x: f32[N, T, 24], kv: f32[N, S, 24], keep: bool[N, T, S]) -> y: f32[N, T, 24], z: f32[N, T, 24] {
                  y = multi_head_attention(x, heads=3, causal=true, name="a")
                  z = multi_head_attention(x, kv=kv, heads=2, causal=true, mask=keep, name="b")
                  return y, z
                }""")
        path = self.compile(self.path("m.mlc"), "--load-weights=w.safetensors", "--with-gradient", "--name=m", "--dump-phases-to=phases", *flags)
        if "-O0" not in flags:
            self.assertGreaterEqual(self.count("linalg-gradient", "kernel.rows"), 2)
            # Behind a mask others than rows read the gradient of the weights.
            self.assertGreaterEqual(self.count("linalg-gradient", "kernel.contract"), 5 + 4)
        library = ctypes.CDLL(path)
        run, gradients = Typed(library, "m"), [Typed(library, "m_gradient", threads) for threads in (1, 2)]
        for queries, keys in LENGTHS:
            x, kv, dy, dz = (draw(2, length, self.FEATURES) for length in (queries, keys, queries, queries))
            keep = rng.random((2, queries, keys)) < 0.7
            keep[1, queries // 2] = False
            exact = [array.astype(np.float64) for array in (x, kv, dy, dz)]
            y, of_query, of_key = self.layer(exact[0], exact[0], weights, "a", 3, exact[2], True)
            z, dx, dkv = self.layer(exact[0], exact[1], weights, "b", 2, exact[3], keep[:, None])
            message = f"{queries} {keys} {flags}"
            for got, wanted in zip(run([x, kv, keep], [2, queries, keys], [np.empty_like(dy), np.empty_like(dz)]), (y, z)):
                self.assert_close(got, wanted, "f32", message)
            got, again = (gradient([x, kv, keep, dy, dz], [2, queries, keys], [np.empty_like(x), np.empty_like(kv)]) for gradient in gradients)
            for array, other, wanted in zip(got, again, (of_query + of_key + dx, dkv)):
                self.assert_close(array, wanted, "f32", message)
                self.assertEqual(array.tobytes(), other.tobytes(), message)

    def test_native_vectors(self):
        self.check()

    def test_narrow_vectors(self):
        self.check("--mcpu=x86-64-v3")
        self.check("--mcpu=x86-64-v2")

    def test_plain_code(self):
        self.check("-O0")


class Products(Triangles):
    """A part a[m, k] of a matrix, with all else 0, on either side of a product and across; and a part of a product."""

    # How columns compare with rows and an offset: below the diagonal and above, with it and without, and some more or fewer.
    PARTS = [("le", 0, operator.le), ("lt", -7, operator.lt), ("ge", 4, operator.ge), ("gt", -19, operator.gt)]
    # m, k, n: the sums of the last ones are of several blocks.
    SIZES = [(1, 1, 1), (5, 17, 33), (17, 5, 64), (40, 30, 20), (65, 65, 20), (130, 64, 17), (64, 600, 35), (600, 64, 50), (300, 300, 1)]

    def check(self, kind, *flags):
        arguments, lines, results = [], [], []
        for i, (predicate, offset, _) in enumerate(self.PARTS):
            tag = f"part{i}"
            axes = [f"{axis}{i}" for axis in "MKN"]
            pick = lambda name: [axes["mkn".index(axis)] for axis in name]
            a, b, c, d, e, t = (tensor(kind, pick(name)) for name in ("mk", "kn", "mn", "nm", "nk", "km"))
            seen, zero = tensor("i1", pick("mk")), f"tensor<{kind}>"
            arguments += [(name + str(i), kind, pick(of)) for name, of in (("a", "mk"), ("b", "kn"), ("c", "mn"), ("d", "nm"), ("e", "nk"))]
            results += [(name + str(i), kind, pick(of)) for name, of in (("ab", "mn"), ("atc", "kn"), ("da", "nk"), ("eat", "nm"), ("ce", "mk"))]
            lines += mask(tag, [(f"a{i}", 0, a), (f"a{i}", 1, a)], *pick("mk"), predicate, offset)
            lines += [f"%{tag}zero = graph.constant dense<0.0> : {zero}",
                      f"%{tag}a = graph.select %{tag}seen, %a{i}, %{tag}zero : ({seen}, {a}, {zero}) -> {a}",
                      f"%{tag}t = graph.transpose %{tag}a {{permutation = array<i64: 1, 0>}} : ({a}) -> {t}",
                      f"%ab{i} = graph.matmul %{tag}a, %b{i} : ({a}, {b}) -> {c}", f"%atc{i} = graph.matmul %{tag}t, %c{i} : ({t}, {c}) -> {b}",
                      f"%da{i} = graph.matmul %d{i}, %{tag}a : ({d}, {a}) -> {e}", f"%eat{i} = graph.matmul %e{i}, %{tag}t : ({e}, {t}) -> {d}",
                      f"%{tag}ce = graph.matmul %c{i}, %e{i} : ({c}, {e}) -> {a}",
                      f"%ce{i} = graph.select %{tag}seen, %{tag}ce, %{tag}zero : ({seen}, {a}, {zero}) -> {a}"]
        library = self.compile_text(function(arguments, lines, results), *flags)
        self.assertGreaterEqual(self.count("linalg", "kernel.contract"), 5 * len(self.PARTS))
        rng = np.random.default_rng(10)
        dtype = TOLERANCES[kind][0]
        for m, k, n in self.SIZES:
            feeds = {name + str(i): rng.standard_normal(shape).astype(dtype) for i in range(len(self.PARTS))
                     for name, shape in (("a", (m, k)), ("b", (k, n)), ("c", (m, n)), ("d", (n, m)), ("e", (n, k)))}
            got, again = (self.run_model(library, feeds, "--threads", threads) for threads in ("1", "2"))
            for i, (predicate, offset, compare) in enumerate(self.PARTS):
                a, b, c, d, e = (feeds[name + str(i)].astype(np.float64) for name in "abcde")
                seen = compare(np.arange(k), np.arange(m)[:, None] + offset)
                part = np.where(seen, a, 0)
                for name, wanted in (("ab", part @ b), ("atc", part.T @ c), ("da", d @ part), ("eat", e @ part.T), ("ce", np.where(seen, c @ e, 0))):
                    message = f"{name} {predicate} {offset} {m, k, n} {kind} {flags}"
                    self.assert_close(got[name + str(i)], wanted, kind, message)
                    self.assertEqual(got[name + str(i)].tobytes(), again[name + str(i)].tobytes(), message)

    def test_native_vectors(self):
        self.check("f32")
        self.check("f64")

    def test_narrow_vectors(self):
        self.check("f32", "--mcpu=x86-64-v3")
        self.check("f32", "--mcpu=x86-64-v2")

    def test_weights(self):
        """In panels, which are packed when the library is compiled."""
        rng = np.random.default_rng(11)
        w, u = rng.standard_normal((600, 50)).astype(np.float32), rng.standard_normal((24, 600)).astype(np.float32)
        w.tofile(self.path("w.bin"))
        u.tofile(self.path("u.bin"))
        a, x, y, seen = tensor("f32", ["M", 600]), tensor("f32", ["M", 24]), tensor("f32", ["M", 50]), tensor("i1", ["M", 600])
        of_w, of_u = tensor("f32", w.shape), tensor("f32", u.shape)
        lines = mask("", [("a", 0, a), ("a", 1, a)], "M", 600, "le", 0)
        lines += ["%zero = graph.constant dense<0.0> : tensor<f32>", f"%w = graph.weight @w : {of_w}", f"%u = graph.weight @u : {of_u}",
                  f"%part = graph.select %seen, %a, %zero : ({seen}, {a}, tensor<f32>) -> {a}",
                  f"%aw = graph.matmul %part, %w : ({a}, {of_w}) -> {y}", f"%all = graph.matmul %x, %u : ({x}, {of_u}) -> {a}",
                  f"%xu = graph.select %seen, %all, %zero : ({seen}, {a}, tensor<f32>) -> {a}"]
        text = "".join(f'graph.parameter @{name} : {kind} {{file = "{name}.bin", offset = 0 : i64}}\n' for name, kind in (("w", of_w), ("u", of_u)))
        text += function([("a", "f32", ["M", 600]), ("x", "f32", ["M", 24])], lines, [("aw", "f32", ["M", 50]), ("xu", "f32", ["M", 600])])
        for flags in ((), ("--mcpu=x86-64-v3",)):
            library = self.compile_text(text, *flags)
            self.assertEqual(self.count("vector", "kernel.contract .* packed"), 2)
            for m in (1, 7, 65, 300, 700):
                feeds = {"a": rng.standard_normal((m, 600)).astype(np.float32), "x": rng.standard_normal((m, 24)).astype(np.float32)}
                seen = np.arange(600) <= np.arange(m)[:, None]
                got = self.run_model(library, feeds)
                self.assert_close(got["aw"], np.where(seen, feeds["a"], 0).astype(np.float64) @ w, "f32", f"{m} {flags}")
                self.assert_close(got["xu"], np.where(seen, feeds["x"].astype(np.float64) @ u, 0), "f32", f"{m} {flags}")

    def test_onnx(self):
        """Masks as exporters write them: Trilu, and numbers of the axes that are compared."""
        helper = onnx.helper
        constants = {"zero": np.int64(0), "one": np.int64(1), "rows": np.array([1]), "columns": np.array([0]), "nothing": np.float32(0)}
        nodes = [helper.make_node("Trilu", ["a"], ["below"], upper=0), helper.make_node("MatMul", ["below", "b"], ["y"]),
                 helper.make_node("Shape", ["a"], ["shape"]), helper.make_node("Gather", ["shape", "zero"], ["n"]),
                 helper.make_node("Range", ["zero", "n", "one"], ["numbers"]), helper.make_node("Unsqueeze", ["numbers", "rows"], ["i"]),
                 helper.make_node("Unsqueeze", ["numbers", "columns"], ["j"]), helper.make_node("GreaterOrEqual", ["i", "j"], ["seen"]),
                 helper.make_node("Transpose", ["a"], ["across"]), helper.make_node("Where", ["seen", "across", "nothing"], ["part"]),
                 helper.make_node("MatMul", ["part", "b"], ["z"])]
        info = lambda name, *shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        graph = helper.make_graph(nodes, "masks", [info("a", "n", "n"), info("b", "n", 48)], [info("y", "n", 48), info("z", "n", 48)],
                                  [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
        library = self.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "--dump-phases-to=phases")
        self.assertEqual(self.count("linalg", "kernel.contract"), 2)
        rng = np.random.default_rng(12)
        for n in (1, 17, 130, 300):
            a, b = rng.standard_normal((n, n)).astype(np.float32), rng.standard_normal((n, 48)).astype(np.float32)
            got = self.run_model(library, {"a": a, "b": b})
            self.assert_close(got["y"], np.tril(a.astype(np.float64)) @ b, "f32", f"Trilu {n}")
            self.assert_close(got["z"], np.tril(a.T.astype(np.float64)) @ b, "f32", f"Range {n}")


if __name__ == "__main__":
    unittest.main()
