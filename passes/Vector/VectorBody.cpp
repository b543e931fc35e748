//===- VectorBody.cpp - element-wise bodies on vectors ------------------------------------------------------------===//
#include "passes/Vector/VectorBody.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace mlc {

Value computeBody(Arithmetic &a, Block &body, ArrayRef<Value> arguments, int64_t lanes) {
  auto vectorOf = [&](Type element) { return VectorType::get({lanes}, element); };
  IRMapping mapping;
  for (auto [argument, vector] : llvm::zip(body.getArguments(), arguments))
    mapping.map(argument, vector);
  auto lookup = [&](Value value) -> Value {
    if (Value mapped = mapping.lookupOrNull(value))
      return mapped;
    return vector::BroadcastOp::create(a.b, a.loc, vectorOf(value.getType()), value);
  };
  for (Operation &scalar : body.without_terminator()) {
    if (auto constant = dyn_cast<arith::ConstantOp>(scalar)) {
      auto splat = DenseElementsAttr::get(vectorOf(constant.getType()), constant.getValue());
      mapping.map(constant.getResult(), Value(arith::ConstantOp::create(a.b, a.loc, splat)));
      continue;
    }
    SmallVector<Value> operands = llvm::map_to_vector(scalar.getOperands(), lookup);
    SmallVector<Type> types =
        llvm::map_to_vector(scalar.getResultTypes(), [&](Type type) -> Type { return vectorOf(type); });
    OperationState state(a.loc, scalar.getName(), operands, types, scalar.getAttrs());
    mapping.map(scalar.getResults(), a.b.create(state)->getResults());
  }
  return lookup(body.getTerminator()->getOperand(0));
}

} // namespace mlc
