"""Export to ONNX (--emit=onnx): the checker takes the model, and another engine and mlc compute what the source computes."""
import json
import os
import unittest

import magika
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

from support import OPT, ToolTest, mlp, model, value, weights


class ExportTest(ToolTest):
    def export(self, made, *options, name="exported.onnx"):
        """Exports a ModelProto or a path; returns the checked model's path."""
        if not isinstance(made, str):
            onnx.save(made, self.path("source.onnx"))
            made = self.path("source.onnx")
        self.call(OPT, made, "-o", self.path(name), *options)
        onnx.checker.check_model(self.path(name), full_check=True)
        return self.path(name)

    def session(self, path):
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def agree(self, made, feeds, rtol=1e-5, atol=1e-6):
        """The source in ONNX Runtime, the export there, and the export in mlc give the same; returns the exported model."""
        path = self.export(made)
        source = self.session(made if isinstance(made, str) else self.path("source.onnx"))
        names = [output.name for output in source.get_outputs()]
        expected = source.run(names, feeds)
        again = self.run_model(self.compile(path), feeds)
        for name, wanted, got in zip(names, expected, self.session(path).run(names, feeds)):
            self.assertEqual(wanted.dtype, got.dtype)
            np.testing.assert_allclose(got, wanted, rtol=rtol, atol=atol, err_msg=name)
            np.testing.assert_allclose(again[name], wanted, rtol=rtol, atol=atol, err_msg=name)
        return onnx.load(path)


class Names(ExportTest):
    def test_names_sizes_and_metadata_stay(self):
        made, _ = mlp("batch")
        for i, node in enumerate(made.graph.node):
            node.name = f"node{i}"
        made.graph.name = "perceptron"
        made.metadata_props.add(key="author", value="somebody")
        exported = self.agree(made, {"x": np.ones((3, 4), np.float32)})
        graph = exported.graph
        self.assertEqual(graph.name, "perceptron")
        self.assertEqual({p.key: p.value for p in exported.metadata_props}, {"author": "somebody"})
        self.assertEqual([i.name for i in graph.input], ["x"])
        self.assertEqual([o.name for o in graph.output], ["y"])
        for info in (graph.input[0], graph.output[0]):
            self.assertEqual(info.type.tensor_type.shape.dim[0].dim_param, "batch")
        self.assertEqual([n.name for n in graph.node if n.op_type == "MatMul"], ["node0", "node3"])
        source = {t.name: nh.to_array(t) for t in made.graph.initializer}
        target = {t.name: nh.to_array(t) for t in graph.initializer}
        for name in ("w", "v"):
            np.testing.assert_array_equal(source[name], target[name])

    def test_outputs_that_are_inputs_weights_or_one_value(self):
        w = np.arange(40, dtype=np.float32)
        made = model([h.make_node("Identity", ["x"], ["same"]), h.make_node("Identity", ["w"], ["weight"]), h.make_node("Relu", ["x"], ["y"]),
                      h.make_node("Identity", ["y"], ["z"])],
                     [value("x", ["N"])], [value("same", ["N"]), value("weight", [40]), value("y", ["N"]), value("z", ["N"])], [weights("w", w)])
        self.agree(made, {"x": np.array([-1, 2], np.float32)})

    def test_an_export_of_an_export_is_the_same(self):
        made, _ = mlp()
        first = onnx.load(self.export(made)).SerializeToString()
        second = onnx.load(self.export(self.path("exported.onnx"), name="again.onnx")).SerializeToString()
        self.assertEqual(first, second)


class Sizes(ExportTest):
    def test_shapes_computed_from_symbolic_sizes(self):
        # x[N, T, 6] -> split heads -> [N, 2, T, 3], and a slice that depends on T
        made = model([h.make_node("Shape", ["x"], ["s"]), h.make_node("Gather", ["s", "zero"], ["n"]), h.make_node("Gather", ["s", "one"], ["t"]),
                      h.make_node("Concat", ["n", "t", "heads"], ["target"], axis=0), h.make_node("Reshape", ["x", "target"], ["r"]),
                      h.make_node("Transpose", ["r"], ["y"], perm=[0, 2, 1, 3]), h.make_node("Div", ["t", "two"], ["half"]),
                      h.make_node("Slice", ["x", "zero", "half", "one"], ["z"]), h.make_node("Expand", ["bias", "s"], ["e"])],
                     [value("x", ["N", "T", 6])], [value("y", ["N", 2, "T", 3]), value("z", ["N", None, 6]), value("e", ["N", "T", 6])],
                     [weights("zero", [0]), weights("one", [1]), weights("two", [2]), weights("heads", [2, 3]),
                      weights("bias", np.arange(6, dtype=np.float32))])
        exported = self.agree(made, {"x": np.random.default_rng(0).standard_normal((2, 5, 6)).astype(np.float32)})
        dims = [d.dim_param or d.dim_value for d in exported.graph.output[0].type.tensor_type.shape.dim]
        self.assertEqual(dims, ["N", 2, "T", 3])

    def test_sizes_can_be_fixed(self):
        made, _ = mlp()
        exported = onnx.load(self.export(made, "--dim", "N=5"))
        self.assertEqual(exported.graph.output[0].type.tensor_type.shape.dim[0].dim_value, 5)

    def test_if(self):
        def branch(name, node):
            return h.make_graph([node], name, [], [h.make_tensor_value_info(node.output[0], T.FLOAT, ["N"])])

        made = model([h.make_node("ReduceSum", ["x"], ["sum"], keepdims=0), h.make_node("Greater", ["sum", "zero"], ["positive"]),
                      h.make_node("If", ["positive"], ["y"], then_branch=branch("then", h.make_node("Exp", ["x"], ["a"])),
                                  else_branch=branch("else", h.make_node("Neg", ["x"], ["b"])))],
                     [value("x", ["N"])], [value("y", ["N"])], [weights("zero", np.float32(0))])
        for sign in (1, -1):
            exported = self.agree(made, {"x": sign * np.array([1, 2], np.float32)})
        self.assertIn("If", [node.op_type for node in exported.graph.node])


class Quantized(ExportTest):
    def test_quantize_and_dequantize_stay(self):
        rng = np.random.default_rng(0)
        w = rng.integers(-127, 127, (8, 4, 3, 3)).astype(np.int8)
        scales = (rng.random(8) * 0.02 + 0.01).astype(np.float32)
        made = model([h.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), h.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
                      h.make_node("DequantizeLinear", ["w", "ws", "wz"], ["f"], axis=0), h.make_node("Conv", ["d", "f"], ["c"], pads=[1, 1, 1, 1]),
                      h.make_node("QuantizeLinear", ["c", "s", "z"], ["y"])],
                     [value("x", ["N", 4, 6, 6])], [value("y", ["N", 8, 6, 6], T.UINT8)],
                     [weights("s", np.float32(0.03)), weights("z", np.uint8(120)), weights("w", w), weights("ws", scales),
                      weights("wz", np.zeros(8, np.int8))])
        exported = self.agree(made, {"x": rng.standard_normal((2, 4, 6, 6)).astype(np.float32)}, rtol=0, atol=1)
        kinds = [node.op_type for node in exported.graph.node]
        self.assertEqual((kinds.count("QuantizeLinear"), kinds.count("DequantizeLinear"), kinds.count("Div")), (2, 2, 0))

    def test_integer_products(self):
        rng = np.random.default_rng(1)
        made = model([h.make_node("MatMulInteger", ["a", "b", "za"], ["y"])], [value("a", ["N", 16], T.UINT8)], [value("y", ["N", 8], T.INT32)],
                     [weights("b", rng.integers(-128, 127, (16, 8)).astype(np.int8)), weights("za", np.uint8(7))])
        exported = self.agree(made, {"a": rng.integers(0, 255, (3, 16)).astype(np.uint8)}, rtol=0, atol=0)
        self.assertIn("MatMulInteger", [node.op_type for node in exported.graph.node])


class Weights(ExportTest):
    def test_external_data(self):
        rng = np.random.default_rng(0)
        w, b = rng.standard_normal((64, 64)).astype(np.float32), rng.standard_normal(64).astype(np.float32)
        made = model([h.make_node("MatMul", ["x", "w"], ["a"]), h.make_node("Add", ["a", "b"], ["c"]), h.make_node("MatMul", ["c", "v"], ["y"])],
                     [value("x", ["N", 64])], [value("y", ["N", 64])], [weights("w", w), weights("b", b), weights("v", w.T.copy())])
        path = self.export(made, "--weights=external")
        self.assertTrue(os.path.exists(path + ".data"))
        tensors = {t.name: t for t in onnx.load(path, load_external_data=False).graph.initializer}
        self.assertEqual(tensors["b"].data_location, T.DEFAULT)  # small ones stay
        for name in ("w", "v"):
            entries = {e.key: e.value for e in tensors[name].external_data}
            self.assertEqual((entries["location"], int(entries["offset"]) % 4096, int(entries["length"])), ("exported.onnx.data", 0, w.nbytes))
        x = rng.standard_normal((3, 64)).astype(np.float32)
        for got in (self.session(path).run(None, {"x": x})[0], self.run_model(self.compile(path), {"x": x})["y"]):
            np.testing.assert_allclose(got, (x @ w + b) @ w.T, rtol=1e-4, atol=1e-4)

    def test_a_model_may_be_replaced_by_its_export(self):
        made, reference = mlp()
        onnx.save(made, self.path("m.onnx"))
        self.call(OPT, "m.onnx", "-o", "m.onnx")
        x = np.ones((2, 4), np.float32)
        np.testing.assert_allclose(self.session(self.path("m.onnx")).run(None, {"x": x})[0], reference(x), rtol=1e-5)


class Failures(ExportTest):
    def test_says_what_cannot_be_exported_and_writes_nothing(self):
        with open(self.path("m.mlir"), "w") as file:
            file.write("func.func @m(%x: tensor<1x4x4x2xf32>, %w: tensor<6x6x2x3xf32>) -> tensor<1x4x4x3xf32> {\n"
                       "  %0 = graph.winograd_conv %x, %w {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x4x4x2xf32>, tensor<6x6x2x3xf32>)"
                       ' -> tensor<1x4x4x3xf32> loc("conv1")\n  return %0 : tensor<1x4x4x3xf32>\n}\n')
        _, error = self.call(OPT, "m.mlir", "-o", "m.onnx", code=1)
        self.assertIn("node 'conv1': cannot export 'graph.winograd_conv' to ONNX because ONNX has no operator for it", error)
        self.assertEqual(sorted(os.listdir(self.folder)), ["m.mlir"])

    def test_external_weights_need_a_file(self):
        made, _ = mlp()
        onnx.save(made, self.path("m.onnx"))
        _, error = self.call(OPT, "m.onnx", "--emit=onnx", "--weights=external", code=1)
        self.assertIn("give it with -o", error)


class RealModel(ExportTest):
    def test_magika(self):
        folder = os.path.join(os.path.dirname(magika.__file__), "models", "standard_v3_3")
        with open(os.path.join(folder, "config.min.json")) as file:
            config = json.load(file)
        length = config["beg_size"] + config["mid_size"] + config["end_size"]
        x = np.random.default_rng(0).integers(0, 257, (3, length)).astype(np.int32)
        self.agree(os.path.join(folder, "model.onnx"), {"bytes": x}, rtol=1e-3, atol=1e-5)


if __name__ == "__main__":
    unittest.main()
