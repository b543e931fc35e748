//===- ExportOnnxTest.cpp - exported models in pieces and as a whole ---------------------------------------------===//
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

#include "lib/Export/Onnx/ExportOnnx.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

#include "onnx-ml.pb.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace mlc;

namespace {

/// A model with two weights, of which one is computed from the other, and more than a page apart.
constexpr const char *kModule = R"mlir(
  graph.parameter @small : tensor<2xf32>
  graph.parameter @w : tensor<30x40xf32>
  graph.parameter @unread : tensor<5xf32>
  graph.parameter @t : tensor<40x30xf32> = {
    %0 = graph.weight @w : tensor<30x40xf32>
    %1 = graph.transpose %0 {permutation = array<i64: 1, 0>} : (tensor<30x40xf32>) -> tensor<40x30xf32>
    graph.yield %1 : tensor<40x30xf32>
  }
  func.func @m(%x: tensor<?x30xf32> {mlc.name = "x", mlc.symbols = ["N", ""]}) -> (tensor<?x30xf32> {mlc.name = "y"}, tensor<2xf32>) {
    %w = graph.weight @w : tensor<30x40xf32>
    %t = graph.weight @t : tensor<40x30xf32>
    %s = graph.weight @small : tensor<2xf32>
    %0 = graph.matmul %x, %w : (tensor<?x30xf32>, tensor<30x40xf32>) -> tensor<?x40xf32>
    %1 = graph.matmul %0, %t : (tensor<?x40xf32>, tensor<40x30xf32>) -> tensor<?x30xf32>
    return %1, %s : tensor<?x30xf32>, tensor<2xf32>
  }
)mlir";

class ExportOnnx : public testing::Test {
protected:
  ExportOnnx() {
    context.loadDialect<graph::GraphDialect, func::FuncDialect, arith::ArithDialect, tensor::TensorDialect>();
    module = parseSourceString<ModuleOp>(kModule, &context);
    for (const char *name : {"small", "w", "unread"}) {
      auto parameter = module->lookupSymbol<graph::ParameterOp>(name);
      std::vector<char> bytes(graph::getByteSize(parameter.getType()));
      for (size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<char>(i % 50);
      weights.define(name, weights.keep(std::move(bytes)));
    }
    FailureOr<OnnxModel> exported = exportOnnx(*module, module->lookupSymbol<func::FuncOp>("m"));
    EXPECT_TRUE(succeeded(exported));
    model = std::move(*exported);
  }

  std::string whole(const OnnxWriteOptions &options = {}) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    writeOnnx(model, weights, options, stream);
    return text;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  WeightStore weights;
  OnnxModel model;
};

onnx::ModelProto parse(const std::string &bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  return model;
}

TEST_F(ExportOnnx, WeightsThatAreReadAreInitializers) {
  onnx::ModelProto parsed = parse(whole());
  std::vector<std::string> names;
  for (const auto &tensor : parsed.graph().initializer())
    names.push_back(tensor.name());
  EXPECT_EQ(names, (std::vector<std::string>{"small", "w", "t"}));
  // The computed one is the other's transpose.
  const std::string &w = parsed.graph().initializer(1).raw_data(), &t = parsed.graph().initializer(2).raw_data();
  ASSERT_EQ(w.size(), 4800u);
  ASSERT_EQ(t.size(), 4800u);
  EXPECT_EQ(w.substr(4, 4), t.substr(4 * 30, 4));
}

TEST_F(ExportOnnx, FramesAndBytesBehindTheRestAreTheWhole) {
  std::string pieces = serializeWithoutWeights(model);
  EXPECT_EQ(parse(pieces).graph().initializer_size(), 0);
  EXPECT_EQ(parse(pieces).graph().node_size(), 3); // the last passes a weight on
  onnx::ModelProto expected = parse(whole());
  for (auto [i, weight] : llvm::enumerate(model.weights))
    pieces += frameOfWeight(weight) + expected.graph().initializer(static_cast<int>(i)).raw_data();
  EXPECT_EQ(parse(pieces).SerializeAsString(), expected.SerializeAsString());
}

TEST_F(ExportOnnx, ExternalWeightsStartAtPages) {
  std::string data;
  llvm::raw_string_ostream stream(data);
  onnx::ModelProto parsed = parse(whole({&stream, "m.data"})), embedded = parse(whole());
  EXPECT_EQ(data.size(), 8192u + 4800u);
  EXPECT_TRUE(parsed.graph().initializer(0).has_raw_data());
  for (int i : {1, 2}) {
    const onnx::TensorProto &tensor = parsed.graph().initializer(i);
    EXPECT_EQ(tensor.data_location(), onnx::TensorProto::EXTERNAL);
    EXPECT_EQ(tensor.external_data(0).value(), "m.data");
    EXPECT_EQ(data.substr(std::stoul(tensor.external_data(1).value()), 4800),
              embedded.graph().initializer(i).raw_data());
  }
}

TEST_F(ExportOnnx, OnlyWhatIsBeyondTwoGibibytesIsTooLarge) {
  EXPECT_FALSE(isTooLargeForOneFile(model));
  auto large = RankedTensorType::get({1 << 15, 1 << 14}, Float32Type::get(&context)); // 2 GiB
  module->lookupSymbol<graph::ParameterOp>("w").setTypeAttr(TypeAttr::get(large));
  EXPECT_TRUE(isTooLargeForOneFile(model));
}

TEST_F(ExportOnnx, TheModuleIsAsBefore) {
  std::string before, after;
  llvm::raw_string_ostream beforeStream(before), afterStream(after);
  module->print(beforeStream);
  EXPECT_TRUE(succeeded(exportOnnx(*module, module->lookupSymbol<func::FuncOp>("m"))));
  module->print(afterStream);
  EXPECT_EQ(before, after);
}

} // namespace
