//===- Profile.cpp - the time of each node of a model ------------------------------------------------------------===//
#include "Profile.h"

#include "runtime/profile/ProfileTable.h"

#include <chrono>
#include <stdexcept>

namespace mlc {

std::string profileModel(Model &model, const std::vector<train::Array> &inputs, double seconds, int threads,
                         bool asJson) {
  using clock = std::chrono::steady_clock;
  auto since = [](clock::time_point start) { return std::chrono::duration<double>(clock::now() - start).count(); };
  auto start = clock::now();
  for (int i = 0; i < 2 || since(start) < seconds / 5; ++i)
    model.run(inputs);
  const mlc_profile *profile = model.startProfile();
  if (profile->num_nodes == 0)
    throw std::runtime_error("the library has nothing to profile: it was compiled with -O0, or it computes nothing");
  for (start = clock::now(); profile->runs < 5 || since(start) < seconds;)
    model.run(inputs);
  model.stopProfile();
  MachinePeak peak = measurePeak(threads);
  if (!asJson)
    return profileToTable(*profile, peak, threads);
  return profileToJson(*profile, peak, threads).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

} // namespace mlc
