//===- Config.h - what the train block of a model says ----------------------------------------------- -*- C++ -*-===//
//
// The compiler has checked it; a wrong type here is a bug of ours and leaves by nlohmann's exception.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_RUNTIME_TRAIN_CONFIG_H
#define MLC_RUNTIME_TRAIN_CONFIG_H

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace mlc::train {

using Json = nlohmann::json;

/// `object[key]`, or `fallback` where it is absent or null.
template <typename T> T valueOf(const Json &object, const char *key, T fallback) {
  auto found = object.find(key);
  return found == object.end() || found->is_null() ? fallback : found->get<T>();
}

/// The object at `key`; an empty one where it is absent or null.
inline Json objectOf(const Json &object, const char *key) {
  auto found = object.find(key);
  return found == object.end() || !found->is_object() ? Json::object() : *found;
}

/// Doubles in JSON, bit by bit: infinities and NaN too.
inline Json exactly(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%a", value);
  return text;
}
inline double exactly(const Json &json) { return std::strtod(json.get<std::string>().c_str(), nullptr); }

} // namespace mlc::train

#endif
