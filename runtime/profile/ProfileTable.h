//===- ProfileTable.h - the times of a model's nodes, as people and programs read them ----------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_PROFILE_PROFILETABLE_H
#define MLC_RUNTIME_PROFILE_PROFILETABLE_H

#include "mlc/runtime.h"
#include "runtime/profile/Machine.h"

#include <nlohmann/json.hpp>

#include <string>

namespace mlc {

/// The nodes sorted by time, with what they reach of the machine's peak, as an aligned table. The profile has a run.
std::string profileToTable(const mlc_profile &profile, const MachinePeak &peak, int threads);

/// The same for programs; names that are not UTF-8 stay as they are, so whoever prints it replaces them.
nlohmann::ordered_json profileToJson(const mlc_profile &profile, const MachinePeak &peak, int threads);

} // namespace mlc

#endif
