//===- TritonSettings.h - Triton's settings of logs and traces ---------------------------------------- -*- C++ -*-===//
// For both protocols. Of the log, the access log's switches can be set while the server runs: calls that ended well
// (log_info), those that the client was at fault for (log_warning) and those that the server was (log_error). Traces
// are lines of that log, so there is nothing to switch on.
#ifndef MLC_RUNTIME_SERVE_TRITONSETTINGS_H
#define MLC_RUNTIME_SERVE_TRITONSETTINGS_H

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace mlc::serve {

class AccessLog;

using LogSettings = std::map<std::string, std::variant<bool, uint32_t, std::string>>;
/// A setting's values, of which all but `trace_level` have one.
using TraceSettings = std::map<std::string, std::vector<std::string>>;

/// The settings as they are; `log` is null where there is no access log.
LogSettings logSettings(const AccessLog *log);

/// Sets what is in `wanted`, all of it or nothing. Throws Error INVALID_ARGUMENT for a setting that does not exist, has
/// another type, or cannot be changed while the server runs.
void setLogSettings(AccessLog *log, const LogSettings &wanted);

const TraceSettings &traceSettings();

/// Takes what `wanted` says where it is so already; no values ask for the default. Throws Error UNIMPLEMENTED.
void setTraceSettings(const TraceSettings &wanted);

} // namespace mlc::serve

#endif
