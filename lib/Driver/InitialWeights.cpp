//===- InitialWeights.cpp - the weights of a model that nobody has trained ---------------------------------------===//
#include "lib/Driver/InitialWeights.h"

#include "lib/Driver/TrainingConfig.h"
#include "runtime/train/Initializers.h"
#include "llvm/ADT/APFloat.h"

#include <stdexcept>

using namespace mlir;

namespace mlc {

llvm::Error defineInitialWeight(graph::ParameterOp parameter, WeightStore &weights) {
  auto type = cast<RankedTensorType>(parameter.getType());
  auto element = dyn_cast<FloatType>(type.getElementType());
  std::string name = parameter.getSymName().str();
  if (!element)
    return llvm::createStringError("unsupported initializer of the weight '" + name + "', which holds no floats");
  std::vector<char> bytes(type.getNumElements() * sizeof(float));
  auto *elements = reinterpret_cast<float *>(bytes.data());
  try {
    train::initialize(toJson(*parameter.getInitializer()), name, /*seed=*/0, type.getShape().vec(), elements);
  } catch (const std::exception &error) {
    return llvm::createStringError("the weight '" + name + "' cannot be initialized: " + error.what());
  }
  if (!element.isF32()) { // rounded to the element type, as a training executable stores it
    unsigned width = element.getWidth() / 8;
    std::vector<char> narrow(type.getNumElements() * width);
    for (int64_t i = 0; i < type.getNumElements(); ++i) {
      llvm::APFloat value(elements[i]);
      bool lost;
      value.convert(element.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &lost);
      uint64_t bits = value.bitcastToAPInt().getZExtValue();
      std::memcpy(narrow.data() + i * width, &bits, width);
    }
    bytes = std::move(narrow);
  }
  weights.define(name, weights.keep(std::move(bytes)));
  return llvm::Error::success();
}

} // namespace mlc
