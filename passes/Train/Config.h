//===- Config.h - what a train.program says, by key ----------------------------------------------------*- C++ -*-===//
//
// Readers of the dictionaries of `train.program`; importers have checked them (docs/Training.md lists the keys).
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_PASSES_TRAIN_CONFIG_H
#define MLC_PASSES_TRAIN_CONFIG_H

#include "mlir/IR/BuiltinAttributes.h"

namespace mlc {

class Config final {
public:
  /// `dictionary` may be null: then nothing is said.
  explicit Config(mlir::DictionaryAttr dictionary) : dictionary(dictionary) {}

  explicit operator bool() const { return dictionary != nullptr; }
  /// The dictionary under a key.
  Config get(llvm::StringRef key) const {
    return Config(dictionary ? dictionary.getAs<mlir::DictionaryAttr>(key) : nullptr);
  }
  llvm::StringRef text(llvm::StringRef key, llvm::StringRef otherwise = "") const {
    auto value = dictionary ? dictionary.getAs<mlir::StringAttr>(key) : nullptr;
    return value ? value.getValue() : otherwise;
  }
  double number(llvm::StringRef key, double otherwise) const {
    mlir::Attribute value = dictionary ? dictionary.get(key) : nullptr;
    if (auto number = llvm::dyn_cast_if_present<mlir::FloatAttr>(value))
      return number.getValueAsDouble();
    if (auto number = llvm::dyn_cast_if_present<mlir::IntegerAttr>(value))
      return static_cast<double>(number.getValue().getSExtValue());
    return otherwise;
  }
  bool flag(llvm::StringRef key) const {
    auto value = dictionary ? dictionary.getAs<mlir::BoolAttr>(key) : nullptr;
    return value && value.getValue();
  }

private:
  mlir::DictionaryAttr dictionary;
};

} // namespace mlc

#endif
