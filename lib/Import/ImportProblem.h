//===- ImportProblem.h - why a model cannot be imported ----------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_IMPORTPROBLEM_H
#define MLC_LIB_IMPORT_IMPORTPROBLEM_H

#include <cstdint>
#include <string>

namespace mlc {

/// One reason why a model cannot be imported.
struct ImportProblem {
  /// The node's name, or its first output where it has none; empty for problems of the whole model.
  std::string node;
  /// "Conv", with its domain where that is not ai.onnx: "com.microsoft.FusedMatMul".
  std::string op;
  /// Version of the operator's domain in the model.
  int64_t opset = 0;
  /// The attribute or input at fault, or empty.
  std::string attribute;
  std::string reason;
  /// What the user can do about it, or empty.
  std::string wayOut;
  /// The model is well-formed, but mlc lacks something.
  bool unsupported = false;
  /// The place in a text, both from 1 on; 0 for models that are none.
  unsigned line = 0, column = 0;
  /// The line with a caret under what is wrong, and who called it; empty without a place.
  std::string excerpt = {};
};

} // namespace mlc

#endif
