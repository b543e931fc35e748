"""mlc-opt and mlc-run from the outside: artifacts, options, shapes, reports, phases, bad input."""
import json
import os
import subprocess
import time
import unittest

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h

from support import OPT, RUN, ToolTest, mlp, model, value, weights


class Compile(ToolTest):
    def test_optimisation_levels_agree(self):
        made, reference = mlp()
        x = np.random.default_rng(1).standard_normal((7, 4)).astype(np.float32)
        for level in ("-O0", "-O1", "-O2", "-O3"):
            library = self.compile(made, level)
            np.testing.assert_allclose(self.run_model(library, {"x": x})["y"], reference(x), rtol=1e-5, atol=1e-6)

    def test_every_kind_of_artifact(self):
        made, _ = mlp()
        onnx.save(made, self.path("m.onnx"))
        for name, start in (("m.o", b"\x7fELF"), ("m.ll", b"; ModuleID"), ("m.s", b""), ("m.mlir", b""), ("libm.so", b"\x7fELF"), ("libm.a", b"!<arch>")):
            self.call(OPT, "m.onnx", "-o", name)
            with open(self.path(name), "rb") as file:
                self.assertTrue(file.read().startswith(start), name)
        for name in ("m.h", "m.pc", "mConfig.cmake"):
            self.assertTrue(os.path.exists(self.path(name)), name)

    def test_external_weights(self):
        made, reference = mlp()
        library = self.compile(made, "--weights=external")
        self.assertTrue(os.path.exists(self.path("m.weights")))
        x = np.ones((2, 4), np.float32)
        np.testing.assert_allclose(self.run_model(library, {"x": x})["y"], reference(x), rtol=1e-5)
        os.truncate(self.path("m.weights"), 10)
        _, error = self.call(RUN, library, code=1)
        self.assertIn("bytes in", error)
        os.remove(self.path("m.weights"))
        _, error = self.call(RUN, library, code=1)
        self.assertIn("cannot open the weights", error)

    def test_baseline_cpu(self):
        made, reference = mlp()
        x = np.ones((2, 4), np.float32)
        np.testing.assert_allclose(self.run_model(self.compile(made, "--mcpu=x86-64"), {"x": x})["y"], reference(x), rtol=1e-5)

    def test_no_library_needs_more_than_libc(self):
        made, _ = mlp()
        self.compile(made)
        out, _ = self.call("readelf", "-d", "libm.so")
        needed = [line.split("[")[1].split("]")[0] for line in out.splitlines() if "NEEDED" in line]
        self.assertLessEqual(set(needed), {"libc.so.6", "libm.so.6"})

    def test_exports_are_the_model_alone(self):
        made, _ = mlp()
        self.compile(made)
        out, _ = self.call("readelf", "--dyn-syms", "-W", "libm.so")
        names = {line.split()[-1] for line in out.splitlines() if "GLOBAL DEFAULT" in line and " UND " not in line}
        self.assertEqual(names, {"m_create", "m_run", "m_destroy", "m_api", "mlc_library_api"})


class Threads(ToolTest):
    def test_results_do_not_depend_on_the_number_of_threads(self):
        rng = np.random.default_rng(0)
        made = model([h.make_node("MatMul", ["x", "w"], ["a"]), h.make_node("Softmax", ["a"], ["y"])], [value("x", ["N", 300])], [value("y", ["N", 400])],
                     [weights("w", rng.standard_normal((300, 400)).astype(np.float32))])
        library = self.compile(made)
        x = rng.standard_normal((257, 300)).astype(np.float32)
        results = [self.run_model(library, {"x": x}, "--threads", str(n))["y"] for n in (1, 2, 3, 7)]
        for other in results[1:]:
            np.testing.assert_array_equal(results[0], other)


class Shapes(ToolTest):
    def test_symbols_at_run_time(self):
        made, reference = mlp()
        library = self.compile(made)
        for n in (1, 5, 0):
            x = np.ones((n, 4), np.float32)
            np.testing.assert_allclose(self.run_model(library, {"x": x})["y"], reference(x), rtol=1e-5)

    def test_shape_and_dim_fix_sizes(self):
        made, _ = mlp()
        for option in ("--shape=x=6x4", "--dim=N=6"):
            library = self.compile(made, option)
            signature = json.loads(self.call(RUN, library, "--signature")[0])
            self.assertEqual(signature["inputs"][0]["shape"], [6, 4])
            self.assertEqual(signature["outputs"][0]["shape"], [6, 3])
            self.assertEqual(signature["symbols"], [])

    def test_wrong_sizes_are_a_status(self):
        library = self.compile(mlp()[0])
        np.save(self.path("bad.npy"), np.ones((2, 5), np.float32))
        _, error = self.call(RUN, library, "--input", "x=bad.npy", code=1)
        self.assertIn("input 'x': expected size 4 in axis 1, but got 5", error)
        np.save(self.path("bad.npy"), np.ones((2,), np.float32))
        self.assertIn("expected rank 2, but got 1", self.call(RUN, library, "--input", "x=bad.npy", code=1)[1])
        np.save(self.path("bad.npy"), np.ones((2, 4), np.float64))
        self.assertIn("expected element type", self.call(RUN, library, "--input", "x=bad.npy", code=1)[1])

    def test_broadcast_that_fails_at_run_time(self):
        made = model([h.make_node("Add", ["a", "b"], ["c"], name="sum")], [value("a", ["M"]), value("b", ["N"])], [value("c", ["K"])])
        library = self.compile(made)
        two, three, one = (np.ones(n, np.float32) for n in (2, 3, 1))
        self.assertEqual(self.run_model(library, {"a": two, "b": one})["c"].shape, (2,))
        self.assertEqual(self.run_model(library, {"a": one, "b": three})["c"].shape, (3,))
        np.save(self.path("a.npy"), two)
        np.save(self.path("b.npy"), three)
        _, error = self.call(RUN, library, "--input", "a=a.npy", "--input", "b=b.npy", code=1)
        self.assertIn("node 'sum': sizes cannot be broadcast together", error)

    def test_sizes_too_large_for_memory(self):
        made = model([h.make_node("Tile", ["x", "r"], ["t"]), h.make_node("ReduceSum", ["t"], ["y"], keepdims=0)],
                     [value("x", ["N", "M"]), value("r", [2], T.INT64)], [value("y", [])])
        library = self.compile(made)
        np.save(self.path("x.npy"), np.ones((2, 2), np.float32))
        for repeats in ([1 << 31, 1 << 31], [1 << 40, 1 << 40], [-3, 1]):
            np.save(self.path("r.npy"), np.array(repeats))
            _, error = self.call(RUN, library, "--input", "x=x.npy", "--input", "r=r.npy", code=1)
            self.assertIn("mlc-run: m: ", error)
        self.assertEqual(self.run_model(library, {"x": np.ones((2, 2), np.float32), "r": np.array([3, 2])})["y"], 24)

    def test_shape_chain_leaves_no_tensors(self):
        made = model([h.make_node("Shape", ["x"], ["s"]), h.make_node("Gather", ["s", "zero"], ["n"]), h.make_node("Unsqueeze", ["n", "axes"], ["u"]),
                      h.make_node("Concat", ["u", "rest"], ["t"], axis=0), h.make_node("Reshape", ["x", "t"], ["y"])],
                     [value("x", ["N", 2, 3])], [value("y", ["N", 6])],
                     [weights("zero", np.int64(0)), weights("axes", np.array([0])), weights("rest", np.array([-1]))])
        onnx.save(made, self.path("m.onnx"))
        ir, _ = self.call(OPT, "m.onnx", "--compile-to=graph")
        self.assertIn("graph.reshape", ir)
        for op in ("graph.gather", "graph.concat", "graph.constant", "from_elements"):
            self.assertNotIn(op, ir)
        x = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
        self.assertEqual(self.run_model(self.compile(made), {"x": x})["y"].shape, (2, 6))

    def test_unknown_sizes_of_one_name_are_apart(self):
        made = model([h.make_node("Concat", ["a", "b"], ["c"], axis=0)], [value("a", ["?"]), value("b", ["?"])], [value("c", ["?"])])
        library = self.compile(made)
        self.assertEqual(self.run_model(library, {"a": np.ones(2, np.float32), "b": np.ones(3, np.float32)})["c"].shape, (5,))


class Importing(ToolTest):
    def test_model_local_function_with_attribute(self):
        body = h.make_node("LeakyRelu", ["v"], ["r"])
        body.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
        function = h.make_function("local", "Scale", ["v"], ["r"], [body], [h.make_opsetid("", 17)], attributes=["slope"])
        made = model([h.make_node("Scale", ["x"], ["y"], domain="local", slope=0.5)], [value("x", [2])], [value("y", [2])], functions=[function])
        out = self.run_model(self.compile(made), {"x": np.array([-2, 2], np.float32)})
        np.testing.assert_array_equal(out["y"], [-1, 2])

    def test_if_with_a_dynamic_condition(self):
        then = h.make_graph([h.make_node("Add", ["x", "x"], ["t"])], "then", [], [value("t", ["N"])])
        other = h.make_graph([h.make_node("Concat", ["x", "x"], ["e"], axis=0)], "else", [], [value("e", ["M"])])
        made = model([h.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)],
                     [value("c", [], T.BOOL), value("x", ["N"])], [value("y", ["K"])])
        library = self.compile(made)
        x = np.array([1, 2], np.float32)
        np.testing.assert_array_equal(self.run_model(library, {"c": np.array(True), "x": x})["y"], [2, 4])
        np.testing.assert_array_equal(self.run_model(library, {"c": np.array(False), "x": x})["y"], [1, 2, 1, 2])

    def test_external_data(self):
        made, reference = mlp()
        onnx.save(made, self.path("m.onnx"), save_as_external_data=True, location="m.data", size_threshold=0)
        x = np.ones((3, 4), np.float32)
        np.testing.assert_allclose(self.run_model(self.compile(self.path("m.onnx")), {"x": x})["y"], reference(x), rtol=1e-5)
        os.truncate(self.path("m.data"), 20)
        self.assertIn("too short", self.call(OPT, "m.onnx", "-o", "libm2.so", code=1)[1])
        os.remove(self.path("m.data"))
        self.assertIn("cannot read", self.call(OPT, "m.onnx", "-o", "libm2.so", code=1)[1])
        self.assertFalse(os.path.exists(self.path("libm2.so")))

    def test_external_data_stay_in_the_folder(self):
        for location in ("../secret", "/etc/passwd", "a/../../secret"):
            tensor = onnx.TensorProto(name="w", data_type=T.FLOAT, dims=[100], data_location=T.EXTERNAL)
            tensor.external_data.add(key="location", value=location)
            made = model([h.make_node("Add", ["x", "w"], ["y"])], [value("x", [100])], [value("y", [100])], [tensor])
            with open(self.path("m.onnx"), "wb") as file:
                file.write(made.SerializeToString())
            self.assertIn("outside of the model's folder", self.call(OPT, "m.onnx", "-o", "libm.so", code=1)[1])

    def test_all_element_types_pass_through(self):
        for dtype in (T.FLOAT, T.DOUBLE, T.FLOAT16, T.INT8, T.INT16, T.INT32, T.INT64, T.UINT8, T.UINT16, T.UINT32, T.UINT64):
            made = model([h.make_node("Concat", ["x", "x"], ["y"], axis=0)], [value("x", [3], dtype)], [value("y", [6], dtype)])
            x = np.array([0, 1, 100]).astype(h.tensor_dtype_to_np_dtype(dtype))
            np.testing.assert_array_equal(self.run_model(self.compile(made), {"x": x})["y"], np.concatenate([x, x]))


class Reports(ToolTest):
    def broken(self):
        return model([h.make_node("StringNormalizer", ["x"], ["a"], name="first"), h.make_node("Foo", ["a"], ["b"], name="second", domain="com.foo"),
                      h.make_node("NonZero", ["x"], ["c"], name="third"), h.make_node("Add", ["b", "c"], ["y"], name="fine")],
                     [value("x", [4])], [value("y", None)])

    def test_all_problems_at_once(self):
        onnx.save(self.broken(), self.path("m.onnx"))
        out, _ = self.call(OPT, "--report", "m.onnx", code=1)
        for name in ("first", "second", "third"):
            self.assertIn(f"node '{name}'", out)
        self.assertIn("unknown domain 'com.foo'", out)
        self.assertNotIn("'fine'", out)
        problems = json.loads(self.call(OPT, "m.onnx", "--report=json", code=1)[0])["problems"]
        self.assertEqual([p["node"] for p in problems], ["first", "second", "third"])
        self.assertEqual(problems[0]["op"], "StringNormalizer")
        self.assertTrue(problems[0]["unsupported"])

    def test_supported_model(self):
        onnx.save(mlp()[0], self.path("m.onnx"))
        self.assertIn("every node is supported", self.call(OPT, "m.onnx", "--report")[0])
        self.assertTrue(json.loads(self.call(OPT, "m.onnx", "--report=json")[0])["supported"])


class Phases(ToolTest):
    def test_every_phase_prints_ir_that_parses_and_holds_no_weights(self):
        big = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
        made = model([h.make_node("MatMul", ["x", "w"], ["a"]), h.make_node("Softmax", ["a"], ["y"])], [value("x", ["N", 64])], [value("y", ["N", 64])],
                     [weights("w", big)])
        onnx.save(made, self.path("m.onnx"))
        self.call(OPT, "m.onnx", "-o", "libm.so", "--dump-phases-to=phases")
        names = sorted(os.listdir(self.path("phases")))
        self.assertEqual([n[3:-5] for n in names], ["import", "graph", "train", "compress", "linalg", "vector", "buffer", "llvm"])
        for name in names:
            self.assertLess(os.path.getsize(self.path("phases/" + name)), 100000)
            self.call(OPT, f"phases/{name}")
            ir, _ = self.call(OPT, "m.onnx", "--compile-to=" + name[3:-5])
            self.assertTrue(ir.startswith(("module", "#")), name)

    def test_mlir_reads_weights_from_a_file(self):
        array = np.arange(4, dtype=np.float32)
        array.tofile(self.path("w.bin"))
        text = 'graph.parameter @w : tensor<4xf32> {file = "w.bin", offset = OFFSET : i64}\nfunc.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n' \
               '  %0 = graph.weight @w : tensor<4xf32>\n  %1 = graph.add %x, %0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>\n' \
               '  return %1 : tensor<4xf32>\n}\n'

        def write(content):
            with open(self.path("f.mlir"), "w") as file:
                file.write(content)

        write(text.replace("OFFSET", "0"))
        self.call(OPT, "f.mlir", "-o", "libf.so")
        np.testing.assert_array_equal(self.run_model(self.path("libf.so"), {"input0": array})["output0"], 2 * array)
        write(text.replace("OFFSET", "8"))
        self.assertIn("ends behind the end of 'w.bin'", self.call(OPT, "f.mlir", "-o", "libg.so", code=1)[1])
        write(text.replace("w.bin", "absent.bin").replace("OFFSET", "0"))
        self.assertIn("cannot be read", self.call(OPT, "f.mlir", "-o", "libg.so", code=1)[1])
        write(text.replace(' {file = "w.bin", offset = OFFSET : i64}', ""))
        self.assertIn("does not say in which file", self.call(OPT, "f.mlir", "-o", "libg.so", code=1)[1])

    def test_phases_that_cannot_be_written(self):
        onnx.save(mlp()[0], self.path("m.onnx"))
        self.assertIn("cannot", self.call(OPT, "m.onnx", "-o", "libm.so", "--dump-phases-to=m.onnx/inside", code=1)[1])

    def test_function_names_are_its_own(self):
        # The name `r` has rank 1 outside and rank 2 inside of the function.
        body = [h.make_node("Identity", ["s"], ["q"]), h.make_node("Reshape", ["v", "q"], ["r"])]
        function = h.make_function("local", "Shape2", ["v", "s"], ["r"], body, [h.make_opsetid("", 17)])
        nodes = [h.make_node("Shape2", ["x", "s"], ["y"], domain="local"), h.make_node("Flatten", ["x"], ["f"]), h.make_node("Reshape", ["f", "one"], ["r"])]
        made = model(nodes, [value("x", ["N", 4]), value("s", ["K"], T.INT64)], [value("y", ["A", "B"]), value("r", ["C"])],
                     [weights("one", np.array([-1]))], functions=[function])
        x = np.arange(8, dtype=np.float32).reshape(2, 4)
        out = self.run_model(self.compile(made), {"x": x, "s": np.array([4, 2])})
        np.testing.assert_array_equal(out["y"], x.reshape(4, 2))
        np.testing.assert_array_equal(out["r"], x.reshape(-1))

    def test_mlir_opt(self):
        with open(self.path("a.mlir"), "w") as file:
            file.write("func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {\n  %0 = graph.relu6 %x : tensor<2xf32>\n  return %x : tensor<2xf32>\n}\n")
        self.assertIn("graph.relu6", self.call(OPT, "a.mlir", code=1)[1])
        with open(self.path("b.mlir"), "w") as file:
            file.write("func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {\n  return %x : tensor<2xf32>\n}\n")
        self.assertIn("rt.input", self.call(OPT, "b.mlir", "--pass-pipeline=builtin.module(buffer-bind-entry)")[0])
        self.call(OPT, "b.mlir", "-o", "libb.so")
        self.assertEqual(json.loads(self.call(RUN, "libb.so", "--signature")[0])["outputs"][0]["shape"], [2])


class Usage(ToolTest):
    def test_help_and_usage(self):
        self.assertIn("Example:", self.call(OPT, "--help")[0])
        self.assertIn("Example:", self.call(RUN, "--help")[0])
        self.call(OPT, "m.onnx", "--nonsense", code=2)
        self.call(OPT, "m.onnx", "--shape=x", code=2)
        self.call(OPT, "m.onnx", "--dim=N=many", code=2)
        self.call(OPT, "m.onnx", "--compile-to=nowhere", code=2)
        self.call(RUN, code=2)

    def test_options_that_do_not_fit_the_model(self):
        onnx.save(mlp()[0], self.path("m.onnx"))
        self.assertIn("not an input", self.call(OPT, "m.onnx", "--shape=nope=1", code=1)[1])
        self.assertIn("has 2", self.call(OPT, "m.onnx", "--shape=x=1x2x3", code=1)[1])
        self.assertIn("but the model says 4", self.call(OPT, "m.onnx", "--shape=x=1x5", code=1)[1])
        self.assertIn("unsupported CPU", self.call(OPT, "m.onnx", "--mcpu=abacus", "-o", "libx.so", code=1)[1])

    def test_bench_prints_json_alone(self):
        library = self.compile(mlp()[0])
        result = json.loads(self.call(RUN, library, "--bench=0.1", "--dim", "N=8")[0])
        self.assertEqual(set(result), {"median_ms", "min_ms", "runs", "threads"})
        self.assertGreater(result["runs"], 4)

    def test_run_names_what_is_wrong(self):
        library = self.compile(mlp()[0])
        self.assertIn("no input 'z'", self.call_input(library, "z", np.ones(1, np.float32)))
        with open(self.path("broken.npy"), "wb") as file:
            file.write(b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'")
        self.assertIn("broken.npy", self.call(RUN, library, "--input", "x=broken.npy", code=1)[1])
        self.assertIn("not a library compiled by mlc", self.call(RUN, "/lib/x86_64-linux-gnu/libm.so.6", code=1)[1])
        self.assertIn("nowhere.so", self.call(RUN, "nowhere.so", code=1)[1])
        self.assertIn("not a symbolic size", self.call(RUN, library, "--dim", "K=1", code=1)[1])

    def call_input(self, library, name, array):
        np.save(self.path("x.npy"), array)
        return self.call(RUN, library, "--input", f"{name}={self.path('x.npy')}", code=1)[1]


class BadInput(ToolTest):
    def refuse(self, made, text):
        with open(self.path("bad.onnx"), "wb") as file:
            file.write(made if isinstance(made, bytes) else made.SerializeToString())
        _, error = self.call(OPT, "bad.onnx", "-o", "libbad.so", code=1)
        self.assertIn("bad.onnx", error)
        self.assertIn(text, error)
        left = [name for name in os.listdir(self.folder) if name != "bad.onnx"]
        self.assertEqual(left, [], "nothing is left behind")

    def test_files_that_are_no_models(self):
        self.refuse(b"", "no graph")
        self.refuse(bytes(range(256)) * 4, "not an ONNX model")
        good = mlp()[0].SerializeToString()
        for length in range(1, len(good), max(1, len(good) // 40)):
            self.call_truncated(good[:length])
        self.assertIn("cannot read", self.call(OPT, "absent.onnx", "-o", "libbad.so", code=1)[1])
        self.assertIn("folder", self.call(OPT, self.make_folder("f.onnx"), "-o", "libbad.so", code=1)[1])

    def make_folder(self, name):
        os.mkdir(self.path(name))
        return name

    def call_truncated(self, content):
        with open(self.path("bad.onnx"), "wb") as file:
            file.write(content)
        self.call(OPT, "bad.onnx", "-o", "libbad.so", code=1)

    def test_names(self):
        x, y = value("x", [2]), value("y", [2])
        self.refuse(model([h.make_node("Relu", ["q"], ["y"], name="n")], [x], [y]), "reads 'q'")
        self.refuse(model([h.make_node("Add", ["x", "b"], ["a"]), h.make_node("Relu", ["a"], ["b"]), h.make_node("Relu", ["b"], ["y"])], [x], [y]), "cycle")
        self.refuse(model([h.make_node("Relu", ["x"], ["y"]), h.make_node("Abs", ["x"], ["y"])], [x], [y]), "defined twice")
        self.refuse(model([h.make_node("Relu", ["x"], ["y"])], [x, x], [y]), "defined twice")
        self.refuse(model([h.make_node("Relu", ["x"], ["y"])], [x], [value("z", [2])]), "reads 'z'")

    def test_types_and_shapes(self):
        y = value("y", [2])
        self.refuse(model([h.make_node("Add", ["x", "z"], ["y"], name="n")], [value("x", [2]), value("z", [3])], [y]), "node 'n'")
        self.refuse(model([h.make_node("Add", ["x", "z"], ["y"], name="n")], [value("x", [2]), value("z", [2], T.INT64)], [y]), "node 'n'")
        self.refuse(model([h.make_node("Relu", ["x"], ["y"])], [value("x", [-2])], [y]), "negative size -2")
        self.refuse(model([h.make_node("Relu", ["x"], ["y"])], [value("x", [1 << 60])], [y]), "too large")
        self.refuse(model([h.make_node("Relu", ["x"], ["y"])], [value("x", [2], T.STRING)], [y]), "unsupported data type STRING")
        self.refuse(model([h.make_node("Softmax", ["x"], ["y"], name="n", axis=5)], [value("x", [2])], [y]), "expected axis in")
        self.refuse(model([h.make_node("Softmax", ["x"], ["y"], name="n", axis="zero")], [value("x", [2])], [y]), "expected an attribute of type INT")
        self.refuse(model([h.make_node("Softmax", ["x"], ["y"], name="n", colour=1)], [value("x", [2])], [y]), "unknown attribute 'colour'")
        self.refuse(model([h.make_node("Conv", ["x"], ["y"], name="n")], [value("x", [1, 1, 4])], [y]), "input 1 is missing")

    def test_initializers(self):
        short = onnx.TensorProto(name="w", data_type=T.FLOAT, dims=[2], raw_data=b"1234")
        add = [h.make_node("Add", ["x", "w"], ["y"])]
        self.refuse(model(add, [value("x", [2])], [value("y", [2])], [short]), "expected 8 bytes of raw data, but got 4")
        few = onnx.TensorProto(name="w", data_type=T.FLOAT, dims=[3], float_data=[1.0])
        self.refuse(model(add, [value("x", [3])], [value("y", [3])], [few]), "expected 3 elements, but got 1")
        huge = onnx.TensorProto(name="w", data_type=T.FLOAT, dims=[1 << 40, 1 << 40])
        self.refuse(model(add, [value("x", [3])], [value("y", [3])], [huge]), "too large")
        text = onnx.TensorProto(name="w", data_type=T.STRING, dims=[1], string_data=[b"a"])
        self.refuse(model(add, [value("x", [3])], [value("y", [3])], [text]), "unsupported data type STRING")

    def test_model_larger_than_protobuf(self):
        with open(self.path("bad.onnx"), "wb") as file:
            file.truncate(3 << 30)  # sparse
        self.assertIn("larger than the 2 GiB", self.call(OPT, "bad.onnx", "-o", "libbad.so", code=1)[1])

    def test_functions_that_explode(self):
        functions = []
        for i in range(40):
            body = [h.make_node(f"F{i + 1}", ["a"], ["b"], domain="f"), h.make_node(f"F{i + 1}", ["b"], ["c"], domain="f")] if i < 39 else [
                h.make_node("Relu", ["a"], ["c"])]
            functions.append(h.make_function("f", f"F{i}", ["a"], ["c"], body, [h.make_opsetid("", 17), h.make_opsetid("f", 1)]))
        graph = h.make_graph([h.make_node("F0", ["x"], ["y"], domain="f")], "g", [value("x", [2])], [value("y", [2])])
        made = h.make_model(graph, opset_imports=[h.make_opsetid("", 17), h.make_opsetid("f", 1)], functions=functions, ir_version=10)
        self.refuse(made, "more than")
        functions[-1].node[0].op_type, functions[-1].node[0].domain = "F0", "f"
        graph.node[0].op_type = "F38"
        made = h.make_model(graph, opset_imports=[h.make_opsetid("", 17), h.make_opsetid("f", 1)], functions=functions, ir_version=10)
        self.refuse(made, "calls itself")

    def test_kill_leaves_nothing_behind(self):
        big = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)
        nodes, last = [], "x"
        for i in range(60):
            nodes += [h.make_node("MatMul", [last, "w"], [f"m{i}"]), h.make_node("Softmax", [f"m{i}"], [f"s{i}"])]
            last = f"s{i}"
        nodes.append(h.make_node("Relu", [last], ["y"]))
        onnx.save(model(nodes, [value("x", ["N", 512])], [value("y", ["N", 512])], [weights("w", big)]), self.path("m.onnx"))
        for delay in (0.05, 0.2, 0.4):
            process = subprocess.Popen([OPT, "m.onnx", "-o", "libm.so"], cwd=self.folder, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            process.terminate()
            process.wait()
            if process.returncode != 0:
                self.assertEqual(os.listdir(self.folder), ["m.onnx"])

    def test_opsets(self):
        self.refuse(model([h.make_node("Relu", ["x"], ["y"])], [value("x", [2])], [value("y", [2])], opset=99), "unsupported opset 99")

    def test_output_that_cannot_be_written(self):
        onnx.save(mlp()[0], self.path("m.onnx"))
        _, error = self.call(OPT, "m.onnx", "-o", "no/such/folder/libm.so", code=1)
        self.assertIn("cannot write", error)


if __name__ == "__main__":
    unittest.main()
