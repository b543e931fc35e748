//===- Profile.h - the time of each node of a model ---------------------------------------------------- -*- C++
//-*-===//
#ifndef MLC_TOOLS_MLC_RUN_PROFILE_H
#define MLC_TOOLS_MLC_RUN_PROFILE_H

#include "Model.h"

#include <string>

namespace mlc {

/// Warms up, then runs for `seconds`, at least five times; the nodes sorted by time, as an aligned table or as JSON.
std::string profileModel(Model &model, const std::vector<train::Array> &inputs, double seconds, int threads,
                         bool asJson);

} // namespace mlc

#endif
