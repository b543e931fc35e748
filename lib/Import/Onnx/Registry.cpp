//===- Registry.cpp - importers by operator and version ----------------------------------------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

namespace mlc::onnximport {

void Registry::add(llvm::StringRef op, int64_t since, ImportFunction function) {
  functions[op.str()][since] = function;
}

ImportFunction Registry::find(llvm::StringRef op, int64_t opset) const {
  auto versions = functions.find(op.str());
  if (versions == functions.end())
    return nullptr;
  auto newer = versions->second.upper_bound(opset);
  return newer == versions->second.begin() ? nullptr : std::prev(newer)->second;
}

std::optional<int64_t> Registry::oldest(llvm::StringRef op) const {
  auto versions = functions.find(op.str());
  if (versions == functions.end())
    return std::nullopt;
  return versions->second.begin()->first;
}

} // namespace mlc::onnximport
