//===- ImportOptions.h - what the command line says of a model's inputs ------------------------------------------===//
#ifndef MLC_LIB_IMPORT_IMPORTOPTIONS_H
#define MLC_LIB_IMPORT_IMPORTOPTIONS_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mlc {

class WeightMatcher;

struct ImportOptions {
  /// Sizes of inputs by name (`--shape`); -1 leaves one as it is.
  std::map<std::string, std::vector<int64_t>> shapes;
  /// Sizes of symbolic dimensions by name (`--dim`).
  std::map<std::string, int64_t> dims;
  /// C identifier of the entry function.
  std::string name = "model";
  /// Float initializers become parameters under their own names, whatever their size: they will be trained.
  bool keepParameters = false;
  /// Where the bytes of weights come from instead of the model (`--load-weights`); null for none.
  WeightMatcher *loaded = nullptr;
};

} // namespace mlc

#endif
