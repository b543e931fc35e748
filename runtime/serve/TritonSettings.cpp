//===- TritonSettings.cpp - Triton's settings of logs and traces --------------------------------------------------===//
#include "runtime/serve/TritonSettings.h"

#include "runtime/serve/AccessLog.h"
#include "runtime/serve/Error.h"

namespace mlc::serve {

namespace {

/// The switch of a name; null where there is none.
std::atomic<bool> AccessLog::*switchNamed(const std::string &name) {
  return name == "log_info"      ? &AccessLog::successes
         : name == "log_warning" ? &AccessLog::clientErrors
         : name == "log_error"   ? &AccessLog::serverErrors
                                 : nullptr;
}

} // namespace

LogSettings logSettings(const AccessLog *log) {
  LogSettings settings = {
      {"log_file", log ? log->path() : ""}, {"log_verbose_level", uint32_t(0)}, {"log_format", std::string("default")}};
  for (const char *name : {"log_info", "log_warning", "log_error"})
    settings[name] = log && (log->*switchNamed(name)).load();
  return settings;
}

void setLogSettings(AccessLog *log, const LogSettings &wanted) {
  const LogSettings current = logSettings(log);
  for (const auto &[name, value] : wanted) {
    auto it = current.find(name);
    if (it == current.end())
      throw Error(Code::invalidArgument, "unsupported log setting '" + name.substr(0, 64) + "'");
    bool settable = log && switchNamed(name) && std::holds_alternative<bool>(value);
    if (!settable && value != it->second)
      throw Error(Code::invalidArgument, "unsupported log setting '" + name + "': " +
                                             (!switchNamed(name) ? "it is fixed while the server runs"
                                              : log ? "expected true or false"
                                                    : "there is no log; --access_log says where one is written"));
  }
  for (const auto &[name, value] : wanted)
    if (log && switchNamed(name))
      (log->*switchNamed(name)).store(std::get<bool>(value));
}

const TraceSettings &traceSettings() {
  static const TraceSettings settings = {{"trace_level", {"OFF"}}, {"trace_rate", {"1000"}},
                                         {"trace_count", {"-1"}},  {"log_frequency", {"0"}},
                                         {"trace_file", {""}},     {"trace_mode", {"triton"}}};
  return settings;
}

void setTraceSettings(const TraceSettings &wanted) {
  for (const auto &[name, values] : wanted) {
    auto it = traceSettings().find(name);
    if (it == traceSettings().end() || (!values.empty() && values != it->second))
      throw Error(Code::unimplemented,
                  "unsupported trace setting '" + name.substr(0, 64) + "'; --access_log writes the trace of each call");
  }
}

} // namespace mlc::serve
