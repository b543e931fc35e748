//===- Model.h - a compiled library, loaded and run ----------------------------------------------------------------*-
// C++ -*-===//
#ifndef MLC_TOOLS_MLC_RUN_MODEL_H
#define MLC_TOOLS_MLC_RUN_MODEL_H

#include "Npy.h"
#include "mlc/runtime.h"

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
  std::vector<Array> makeInputs(std::map<std::string, Array> given, const std::map<std::string, int64_t> &dims,
                                uint64_t seed) const;

  /// Runs the model; the outputs belong to it until the next run.
  const std::vector<mlc_tensor> &run(const std::vector<Array> &inputs);

  /// Makes the runs that follow fill the profile, from zero; it belongs to the model.
  const mlc_profile *startProfile();
  void stopProfile() { description->profile_stop(context); }

  /// Names, types, shapes and metadata as JSON.
  std::string signature() const;

private:
  void *library = nullptr;
  const mlc_api *description = nullptr;
  mlc_model *context = nullptr;
  std::vector<mlc_tensor> outputs;
};

} // namespace mlc

#endif
