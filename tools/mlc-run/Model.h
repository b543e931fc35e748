//===- Model.h - a compiled library, loaded and run ----------------------------------------------------------------*-
// C++ -*-===//
#ifndef MLC_TOOLS_MLC_RUN_MODEL_H
#define MLC_TOOLS_MLC_RUN_MODEL_H

#include "mlc/runtime.h"
#include "runtime/train/Array.h"

#include <map>
#include <string>
#include <vector>

namespace mlc {

/// A loaded library with one context. Throws std::runtime_error for whatever fails.
class Model {
public:
  Model(const std::string &path, int threads);
  ~Model();
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;

  const mlc_api &api() const { return *description; }

  /// Inputs for a run: the given ones, random ones elsewhere. Sizes that nothing fixes come from `dims`, else are 1.
  std::vector<train::Array> makeInputs(std::map<std::string, train::Array> given,
                                       const std::map<std::string, int64_t> &dims, uint64_t seed) const;

  void run(const std::vector<train::Array> &inputs);

  /// Views of the last run's outputs, which belong to the model until the next one.
  std::vector<train::Array> outputs() const;

  /// Makes the runs that follow fill the profile, from zero; it belongs to the model.
  const mlc_profile *startProfile();
  void stopProfile() { description->profile_stop(context); }

  /// Names, types, shapes and metadata as JSON.
  std::string signature() const;

private:
  void *library = nullptr;
  const mlc_api *description = nullptr;
  mlc_model *context = nullptr;
  std::vector<mlc_tensor> results;
};

} // namespace mlc

#endif
