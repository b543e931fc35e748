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
from onnx.reference import ReferenceEvaluator

from support import OPT, ROOT, RUN, ToolTest, mlp, model, value, weights


def onnx_names(graph):
    """All names that the nodes and outputs of a graph read, in subgraphs too."""
    yield from (output.name for output in graph.output)
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            yield from onnx_names(attribute.g)


class ExportTest(ToolTest):
    def export(self, made, *options, name="exported.onnx"):
        """Exports a ModelProto or a path; returns the checked model's path."""
        if not isinstance(made, str):
            onnx.save(made, self.path("source.onnx"))
            made = self.path("source.onnx")
        self.call(OPT, made, "-o", self.path(name), *options)
        onnx.checker.check_model(self.path(name), full_check=True)
        graph = onnx.load(self.path(name), load_external_data=False).graph
        read = set(onnx_names(graph))
        self.assertEqual([t.name for t in graph.initializer if t.name not in read], [])
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
                     [value("x", ["N"])], [value("x", ["N"]), value("same", ["N"]), value("weight", [40]), value("y", ["N"]), value("z", ["N"])], [weights("w", w)])
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
        w = rng.integers(-63, 64, (8, 4, 3, 3)).astype(np.int8)  # seven bits: without VNNI, ONNX Runtime's sums of pairs saturate
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
                     [weights("b", rng.integers(-64, 64, (16, 8)).astype(np.int8)), weights("za", np.uint8(7))])  # seven bits, as above
        exported = self.agree(made, {"a": rng.integers(0, 255, (3, 16)).astype(np.uint8)}, rtol=0, atol=0)
        self.assertIn("MatMulInteger", [node.op_type for node in exported.graph.node])


# Ops that the operators of ONNX do not have one to one: arguments, results and the body of a function. The oracle is -O0.
OPS = {
    "conv_channels_last": ("%x: tensor<2x6x5x4xf32>, %w: tensor<3x4x3x3xf32>", "tensor<2x6x3x3xf32>", """
      %0 = graph.conv %x, %w {strides = array<i64: 1, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, channels_last} :
        (tensor<2x6x5x4xf32>, tensor<3x4x3x3xf32>) -> tensor<2x6x3x3xf32>"""),
    "conv_negative_pads": ("%x: tensor<1x2x6xf32>, %w: tensor<3x2x3xf32>", "tensor<1x3x4xf32>", """
      %0 = graph.conv %x, %w {strides = array<i64: 1>, pads = array<i64: -1, 1>, dilations = array<i64: 1>} :
        (tensor<1x2x6xf32>, tensor<3x2x3xf32>) -> tensor<1x3x4xf32>"""),
    "conv_signed_bytes": ("%x: tensor<1x2x6x6xi8>, %w: tensor<3x2x3x3xi8>", "tensor<1x3x6x6xi32>", """
      %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} :
        (tensor<1x2x6x6xi8>, tensor<3x2x3x3xi8>) -> tensor<1x3x6x6xi32>"""),
    "conv_wide_integers": ("%x: tensor<1x2x6xi32>, %w: tensor<3x2x3xi32>", "tensor<1x3x4xi32>", """
      %0 = graph.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>} :
        (tensor<1x2x6xi32>, tensor<3x2x3xi32>) -> tensor<1x3x4xi32>"""),
    "matmul_bytes_and_halves": ("%x: tensor<4x5xi8>, %w: tensor<5x3xui8>, %h: tensor<5x3xi16>, %g: tensor<4x5xi16>", "tensor<4x3xi32>, tensor<4x3xi16>", """
      %0 = graph.matmul %x, %w : (tensor<4x5xi8>, tensor<5x3xui8>) -> tensor<4x3xi32>
      %1 = graph.matmul %g, %h : (tensor<4x5xi16>, tensor<5x3xi16>) -> tensor<4x3xi16>"""),
    "conv_transpose_beyond_the_sums": ("%x: tensor<1x2x4xf32>, %w: tensor<2x3x3xf32>", "tensor<1x3x14xf32>, tensor<1x3x11xf32>", """
      %0 = graph.conv_transpose %x, %w {strides = array<i64: 2>, pads = array<i64: -1, 0>, dilations = array<i64: 1>,
        output_padding = array<i64: 4>} : (tensor<1x2x4xf32>, tensor<2x3x3xf32>) -> tensor<1x3x14xf32>
      %1 = graph.conv_transpose %x, %w {strides = array<i64: 2>, pads = array<i64: 1, 1>, dilations = array<i64: 1>,
        output_padding = array<i64: 4>} : (tensor<1x2x4xf32>, tensor<2x3x3xf32>) -> tensor<1x3x11xf32>"""),
    "pools": ("%x: tensor<1x6x6x2xf32>, %y: tensor<1x2x7xf32>", "tensor<1x3x3x2xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>", """
      %0 = graph.pool max %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 0, 0>, dilations = array<i64: 1, 1>,
        channels_last} : (tensor<1x6x6x2xf32>) -> tensor<1x3x3x2xf32>
      %1 = graph.pool sum %y {kernel = array<i64: 3>, strides = array<i64: 2>, pads = array<i64: 1, 1>, dilations = array<i64: 1>, ceil_mode} :
        (tensor<1x2x7xf32>) -> tensor<1x2x4xf32>
      %2 = graph.pool average %y {kernel = array<i64: 3>, strides = array<i64: 2>, pads = array<i64: 1, 1>, dilations = array<i64: 1>,
        count_include_pad} : (tensor<1x2x7xf32>) -> tensor<1x2x4xf32>"""),
    "remainders_and_logarithms": ("%x: tensor<?xf32>, %y: tensor<?xf32>", "tensor<?xf32>, tensor<?xf32>, tensor<?xf32>", """
      %0 = graph.mod %x, %y : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
      %1 = graph.mod %x, %y {truncated} : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
      %a = graph.abs %x : (tensor<?xf32>) -> tensor<?xf32>
      %2 = graph.log1p %a : (tensor<?xf32>) -> tensor<?xf32>"""),
    "narrow_integers": ("%x: tensor<9xi8>, %y: tensor<9xui16>, %c: tensor<9xi1>", "tensor<9xi8>, tensor<9xui16>, tensor<9xi1>, tensor<9xi1>, tensor<9xi8>", """
      %0 = graph.mul %x, %x : (tensor<9xi8>, tensor<9xi8>) -> tensor<9xi8>
      %1 = graph.max %y, %y : (tensor<9xui16>, tensor<9xui16>) -> tensor<9xui16>
      %2 = graph.compare lt %x, %0 : (tensor<9xi8>, tensor<9xi8>) -> tensor<9xi1>
      %3 = graph.select %c, %2, %c : (tensor<9xi1>, tensor<9xi1>, tensor<9xi1>) -> tensor<9xi1>
      %4 = graph.select %c, %x, %0 : (tensor<9xi1>, tensor<9xi8>, tensor<9xi8>) -> tensor<9xi8>"""),
    "products_along_an_axis": ("%x: tensor<2x?x3xf32>", ", ".join(["tensor<2x?x3xf32>"] * 4), """
      %0 = graph.cumulate prod %x {axis = 1 : i64} : (tensor<2x?x3xf32>) -> tensor<2x?x3xf32>
      %1 = graph.cumulate prod %x {axis = 1 : i64, exclusive} : (tensor<2x?x3xf32>) -> tensor<2x?x3xf32>
      %2 = graph.cumulate prod %x {axis = 1 : i64, reverse} : (tensor<2x?x3xf32>) -> tensor<2x?x3xf32>
      %3 = graph.cumulate prod %x {axis = 1 : i64, exclusive, reverse} : (tensor<2x?x3xf32>) -> tensor<2x?x3xf32>"""),
    "normalizations": ("%x: tensor<3x?x4xf32>", "tensor<3x?x4xf32>, tensor<3x?x4xf32>", """
      %0 = graph.normalize %x {axis = 1 : i64, epsilon = 1.0e-3 : f64} : (tensor<3x?x4xf32>) -> tensor<3x?x4xf32>
      %1 = graph.normalize %x {axis = 2 : i64, epsilon = 1.0e-3 : f64, uncentered} : (tensor<3x?x4xf32>) -> tensor<3x?x4xf32>"""),
    "masked_reductions": ("%x: tensor<2x3x4xf32>, %m: tensor<3xi1>", "tensor<?x?x?xf32>, tensor<?x?x?xf32>", """
      %0 = graph.reduce_by_mask sum %x, %m : (tensor<2x3x4xf32>, tensor<3xi1>) -> tensor<?x?x?xf32>
      %1 = graph.reduce_by_mask max %x, %m : (tensor<2x3x4xf32>, tensor<3xi1>) -> tensor<?x?x?xf32>"""),
    "quantization_by_rows_and_blocks": ("%x: tensor<3x4xf32>, %z: tensor<3x1xi8>, %q: tensor<3x4xi8>, %s: tensor<3x4xf32>, %t: tensor<4xf32>, %n: tensor<i8>",
                                        "tensor<3x4xi8>, tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xi8>", """
      %0 = graph.quantize %x, %z : (tensor<3x4xf32>, tensor<3x1xi8>) -> tensor<3x4xi8>
      %1 = graph.dequantize %q, %s, %z : (tensor<3x4xi8>, tensor<3x4xf32>, tensor<3x1xi8>) -> tensor<3x4xf32>
      %2 = graph.dequantize %q, %t, %n : (tensor<3x4xi8>, tensor<4xf32>, tensor<i8>) -> tensor<3x4xf32>
      %d = graph.div %x, %t : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
      %3 = graph.quantize %d, %n : (tensor<3x4xf32>, tensor<i8>) -> tensor<3x4xi8>"""),
    "slices": ("%x: tensor<?x5xf32>", "tensor<?x5xf32>, tensor<?x2xf32>", """
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %n = tensor.dim %x, %c0 : tensor<?x5xf32>
      %last = arith.subi %n, %c1 : index
      %0 = graph.slice %x offsets [%last, 4] sizes [%n, 5] steps [-1, -1] : tensor<?x5xf32> -> tensor<?x5xf32>
      %1 = graph.slice %x offsets [1, 1] sizes [%last, 2] steps [1, 2] : tensor<?x5xf32> -> tensor<?x2xf32>"""),
    "counting": ("%x: tensor<?x5xf32>", "tensor<?x5xi64>, tensor<2x?x1xf32>", """
      %c0 = arith.constant 0 : index
      %n = tensor.dim %x, %c0 : tensor<?x5xf32>
      %0 = graph.iota axis = 0 sizes [%n, 5] of i64 : tensor<?x5xi64>
      %1 = graph.iota axis = 1 sizes [2, %n, 1] of f32 : tensor<2x?x1xf32>"""),
    "layers_at_inference": ("%x: tensor<2x3xf32>", "tensor<2x3xf32>", """
      %d = train.dropout %x {rate = 5.0e-1 : f64} : tensor<2x3xf32>
      %0 = graph.exp %d : (tensor<2x3xf32>) -> tensor<2x3xf32>"""),
    "sorting": ("%x: tensor<3x6xi16>", "tensor<3x2xi16>, tensor<3x2xi64>", """
      %0, %1 = graph.top_k %x k [2] {axis = 1 : i64, smallest} : tensor<3x6xi16> -> tensor<3x2xi16>, tensor<3x2xi64>"""),
    "arithmetic_on_scalars": ("%x: tensor<2x2xi64>, %t: tensor<?xf32>", "tensor<8xi64>, tensor<2x1xi64>, tensor<?xf32>", """
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c3 = arith.constant 3 : index
      %true = arith.constant true
      %a = tensor.extract %x[%c0, %c1] : tensor<2x2xi64>
      %i = arith.index_cast %a : i64 to index
      %b = arith.floordivsi %i, %c3 : index
      %c = arith.ceildivsi %i, %c3 : index
      %d = arith.remsi %i, %c3 : index
      %e = arith.maxui %i, %c3 : index
      %p = arith.cmpi ult, %i, %c3 : index
      %q = arith.cmpi ne, %i, %c3 : index
      %r = arith.xori %p, %q : i1
      %f = arith.select %r, %b, %c : index
      %g = arith.extui %p : i1 to i64
      %h = arith.extsi %q : i1 to i64
      %j = arith.trunci %a : i64 to i8
      %k = arith.extui %j : i8 to i64
      %l = arith.trunci %a : i64 to i1
      %m = arith.extui %l : i1 to i64
      %bb = arith.index_cast %b : index to i64
      %cc = arith.index_cast %c : index to i64
      %dd = arith.index_cast %d : index to i64
      %ff = arith.index_cast %f : index to i64
      %s = arith.sitofp %a : i64 to f64
      %u = math.floor %s : f64
      %v = arith.fptosi %u : f64 to i64
      %w = arith.addi %v, %m : i64
      %0 = tensor.from_elements %bb, %cc, %dd, %ff, %g, %h, %k, %w : tensor<8xi64>
      %ee = arith.index_cast %e : index to i64
      %1 = tensor.from_elements %ee, %a : tensor<2x1xi64>
      %y = graph.exp %t : (tensor<?xf32>) -> tensor<?xf32>
      %2 = arith.select %q, %t, %y : tensor<?xf32>"""),
}
for kind in ("i8", "i32", "i64", "ui8", "ui32", "ui64"):
    OPS["shifts_of_" + kind] = (f"%x: tensor<40x{kind}>, %y: tensor<40x{kind}>", f"tensor<40x{kind}>, tensor<40x{kind}>", f"""
      %0 = graph.shift_left %x, %y : (tensor<40x{kind}>, tensor<40x{kind}>) -> tensor<40x{kind}>
      %1 = graph.shift_right %x, %y : (tensor<40x{kind}>, tensor<40x{kind}>) -> tensor<40x{kind}>""")


class Ops(ExportTest):
    DTYPES = {"f32": np.float32, "f64": np.float64, "bool": np.bool_, **{f"{s}{w}": np.dtype(f"{n}int{w}") for s, n in (("i", ""), ("u", "u"))
                                                                          for w in (8, 16, 32, 64)}}

    def feeds(self, library, seed):
        rng = np.random.default_rng(seed)
        feeds = {}
        for info in json.loads(self.call(RUN, library, "--signature")[0])["inputs"]:
            shape, dtype = [size if isinstance(size, int) and size >= 0 else 3 for size in info["shape"]], np.dtype(self.DTYPES[info["dtype"]])
            if dtype.kind == "f":
                feeds[info["name"]] = rng.standard_normal(shape).astype(dtype)
            elif dtype.kind == "b":
                feeds[info["name"]] = rng.random(shape) < 0.5
            else:  # shifts by more than the width, products that wrap
                feeds[info["name"]] = rng.integers(max(np.iinfo(dtype).min, -90), 90, shape, dtype=dtype, endpoint=True)
        return feeds

    def test_ops_without_an_operator_of_their_own(self):
        for name, (arguments, results, body) in OPS.items():
            with self.subTest(name):
                types = ", ".join(f"%{i}" for i in range(results.count("tensor")))
                with open(self.path("op.mlir"), "w") as file:
                    file.write(f"func.func @m({arguments}) -> ({results}) {{{body}\n  return {types} : {results}\n}}\n")
                path = self.export(self.path("op.mlir"))
                oracle = self.compile(self.path("op.mlir"), "-O0")
                again = self.compile(path, library="libagain.so")
                for seed in range(3):
                    feeds = self.feeds(oracle, seed)
                    expected = self.run_model(oracle, feeds)
                    try:
                        got = dict(zip(expected, self.session(path).run(list(expected), feeds)))
                    except Exception as error:  # ONNX Runtime convolves f32 alone
                        self.assertIn("NOT_IMPLEMENTED", str(error))
                        got = dict(zip(expected, ReferenceEvaluator(path).run(list(expected), feeds)))
                    for output, wanted in expected.items():
                        for engine, result in (("another engine", got), ("mlc", self.run_model(again, feeds))):
                            self.assertEqual(result[output].dtype, wanted.dtype)
                            np.testing.assert_allclose(result[output], wanted, rtol=1e-5, atol=1e-6, err_msg=f"{output} in {engine}")


class Recurrence(ExportTest):
    def test_language(self):
        text = """
            model m(x: f32[N, T, 3]) -> y: f32[N, T, 8], h: f32[N, 4], c: f32[N, 4] {
              y = bidirectional(lstm(x, units=5, return_sequences=true), gru(units=4, return_sequences=true))
              a, h, c = lstm(y, units=4, return_sequences=true, return_state=true, reverse=true)
              return y, rnn(a, units=4, activation=relu), c
            }"""
        with open(self.path("m.mlc"), "w") as file:
            file.write(text)
        x = np.random.default_rng(1).standard_normal((2, 6, 3)).astype(np.float32)
        expected = self.run_model(self.compile(self.path("m.mlc")), {"x": x})
        path = self.export(self.path("m.mlc"))
        again = self.run_model(self.compile(path), {"x": x})
        for name, got in zip("yhc", self.session(path).run(list("yhc"), {"x": x})):
            np.testing.assert_allclose(got, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
            np.testing.assert_allclose(again[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
        scans = [node for node in onnx.load(path).graph.node if node.op_type == "Scan"]
        self.assertEqual(len(scans), 5)
        self.assertEqual([any(a.name == "scan_input_directions" for a in node.attribute) for node in scans], [False, False, True, True, False])

    def test_classifier(self):
        path = self.export(os.path.join(ROOT, "docs", "examples", "lstm_classifier.mlc"))
        tokens = np.random.default_rng(2).integers(0, 20000, (3, 80)).astype(np.int32)
        expected = self.run_model(self.compile(os.path.join(ROOT, "docs", "examples", "lstm_classifier.mlc")), {"tokens": tokens})
        got, = self.session(path).run(["probability"], {"tokens": tokens})
        np.testing.assert_allclose(got, expected["probability"], rtol=1e-4, atol=1e-6)

    def test_lengths(self):
        rng = np.random.default_rng(3)
        values = {"w": rng.uniform(-1, 1, (2, 12, 4)), "r": rng.uniform(-1, 1, (2, 12, 3)), "b": rng.uniform(-1, 1, (2, 24))}
        node = h.make_node("LSTM", ["x", "w", "r", "b", "l"], ["y", "yh", "yc"], hidden_size=3, direction="bidirectional")
        made = model([node], [value("x", ["T", "N", 4]), value("l", ["N"], T.INT32)], [value("y", ["T", 2, "N", 3]), value("yh", [2, "N", 3]), value("yc", [2, "N", 3])],
                     [weights(name, array.astype(np.float32)) for name, array in values.items()])
        self.agree(made, {"x": rng.uniform(-1, 1, (5, 3, 4)).astype(np.float32), "l": np.array([5, 1, 3], np.int32)})


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
        conv = "{strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}"
        window = "{kernel = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, ceil_mode}"
        resize = "coordinates half_pixel nearest floor {cubic_coefficient = -0.75 : f64, extrapolation = 0.0 : f64}"
        cases = {
            "ONNX has no operator for it": ("%x: tensor<1x4x4x2xf32>, %w: tensor<6x6x2x3xf32>", "tensor<1x4x4x3xf32>",
                                            "graph.winograd_conv %x, %w {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x4x4x2xf32>, tensor<6x6x2x3xf32>)"),
            "ONNX has no convolution of 64-bit integers": ("%x: tensor<1x2x6xi64>, %w: tensor<3x2x3xi64>", "tensor<1x3x4xi64>",
                                                           f"graph.conv %x, %w {conv} : (tensor<1x2x6xi64>, tensor<3x2x3xi64>)"),
            "ONNX pools floats": ("%x: tensor<1x2x6xi64>", "tensor<1x2x3xi64>", f"graph.pool max %x {window} : (tensor<1x2x6xi64>)"),
            "ONNX has no sum of windows": ("%x: tensor<1x2x?xf32>", "tensor<1x2x?xf32>", f"graph.pool sum %x {window} : (tensor<1x2x?xf32>)"),
            "its sizes are neither": ("%x: tensor<4xf32>, %s: tensor<1xf64>", "tensor<7xf32>",
                                      "graph.resize nearest %x, %c, %r to [7] " + resize + " : (tensor<4xf32>, tensor<1xf64>, tensor<0xf64>)"),
        }
        for reason, (arguments, result, op) in cases.items():
            with open(self.path("m.mlir"), "w") as file:
                file.write(f"func.func @m({arguments}) -> {result} {{\n  %c = graph.constant dense<1.5> : tensor<1xf64>\n"
                           "  %r = graph.constant dense<> : tensor<0xf64>\n"
                           f'  %0 = {op} -> {result} loc("node1")\n  return %0 : {result}\n}}\n')
            _, error = self.call(OPT, "m.mlir", "-o", "m.onnx", code=1)
            self.assertIn(f"node 'node1': cannot export '{op.split()[0]}' to ONNX because {reason}", error)
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
