//===- TraceContext.cpp - W3C trace context ----------------------------------------------------------------------===//
#include "runtime/serve/TraceContext.h"

#include "runtime/serve/Telemetry.h"

#include <algorithm>
#include <cstdint>
#include <random>

namespace mlc::serve {

namespace {

constexpr char hexDigits[] = "0123456789abcdef";

bool isHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool isId(std::string_view text) { return isHex(text) && text.find_first_not_of('0') != text.npos; }

/// 16 digits, not all of them zeros.
std::string randomId() {
  thread_local std::mt19937_64 engine([] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }());
  uint64_t bits = engine() | 1;
  std::string id(16, '0');
  for (char &digit : id)
    digit = hexDigits[bits & 15], bits >>= 4;
  return id;
}

/// What of a client's own id goes back into a header: no line breaks, nothing endless.
bool isPlain(std::string_view text) {
  return text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

} // namespace

TraceContext TraceContext::continued(std::string_view text) {
  // version "-" trace "-" parent "-" flags; later versions may have more behind it.
  TraceContext context;
  context.spanId = randomId();
  bool shaped = text.size() >= 55 && text[2] == '-' && text[35] == '-' && text[52] == '-' && isHex(text.substr(0, 2));
  bool known =
      shaped && text.substr(0, 2) != "ff" && (text.size() == 55 || (text.substr(0, 2) != "00" && text[55] == '-'));
  if (known && isId(text.substr(3, 32)) && isId(text.substr(36, 16)) && isHex(text.substr(53, 2))) {
    context.traceId = text.substr(3, 32);
    context.parentId = text.substr(36, 16);
    context.sampled = std::string_view("13579bdf").find(text[54]) != std::string_view::npos;
    return context;
  }
  context.traceId = randomId() + randomId();
  return context;
}

std::string TraceContext::header() const { return "00-" + traceId + "-" + spanId + (sampled ? "-01" : "-00"); }

std::vector<std::pair<std::string, std::string>> answerHeaders(Call &call) {
  std::vector<std::pair<std::string, std::string>> headers;
  if (!call.traceParent.empty()) {
    call.trace = TraceContext::continued(call.traceParent);
    headers.emplace_back("traceparent", call.trace.header());
  }
  if (!call.requestId.empty() && isPlain(call.requestId))
    headers.emplace_back("X-Request-Id", call.requestId);
  return headers;
}

} // namespace mlc::serve
