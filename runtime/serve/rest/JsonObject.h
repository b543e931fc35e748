//===- JsonObject.h - the object that a request's body is --------------------------------------------- -*- C++ -*-===//
// On simdjson's On-Demand parser, which visits a text once, without a tree and without recursion for what is skipped.
// Two things that JSON has not, but TensorFlow Serving's parser takes, are added where the fast way stops: NaN and
// infinities (scalarWord), and bytes behind the end of the object.
#ifndef MLC_RUNTIME_SERVE_REST_JSONOBJECT_H
#define MLC_RUNTIME_SERVE_REST_JSONOBJECT_H

#include "runtime/serve/Error.h"

#include <simdjson.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace mlc::serve {

/// Levels of nested lists and objects that are read.
constexpr size_t deepestJson = 64;

/// What is thrown while an object is read where the text is not JSON; readJsonObject makes an Error of it.
struct NotJson final {
  simdjson::error_code error;
};

inline void checkJson(simdjson::error_code error) {
  if (__builtin_expect(error, 0))
    throw NotJson{error};
}

/// Calls `read` with the object that a text begins with; a second time, from the start, where it has to be told from
/// what follows it. Copies the text where its capacity leaves no room for simdjson to read past the end. Throws Error
/// INVALID_ARGUMENT where the text is no JSON object, and what `read` throws.
void readJsonObject(const std::string &text, const std::function<void(simdjson::ondemand::object object)> &read);

/// The first byte of a value; what it is follows from it.
inline char firstByte(simdjson::ondemand::value value) { return *value.raw_json_token().data(); }

/// The members of an object, in their order: visit(key, value). The key is valid until the next one. Members are not
/// looked for by name: find_field_unordered goes back to the start for it, where simdjson 3.0 takes whatever it has
/// passed for valid, and reads anywhere where it was not.
template <typename Visit> void forEachMember(simdjson::ondemand::object object, Visit visit) {
  for (auto member : object) {
    simdjson::ondemand::field field;
    checkJson(std::move(member).get(field));
    std::string_view key;
    checkJson(field.unescaped_key().get(key));
    visit(key, field.value());
  }
}

/// Whether `name` is the key, for the first time: of members that are there twice, the first counts.
inline bool isFirst(std::string_view key, std::string_view name, bool &seen) {
  return key == name && !std::exchange(seen, true);
}

/// The elements of a list.
template <typename Visit> void forEachElement(simdjson::ondemand::array list, Visit visit) {
  for (auto element : list) {
    simdjson::ondemand::value value;
    checkJson(std::move(element).get(value));
    visit(value);
  }
}

/// NaN or an infinity, as rapidjson takes them: NaN, Inf, Infinity, each with a sign or not. Returns false for
/// everything else.
bool scalarWord(simdjson::ondemand::value value, double &number);

/// "Null", "False", "True", "Object", "Array", "String" or "Number"; throws NotJson where a value is none of them.
const char *jsonTypeName(simdjson::ondemand::value value);

/// A value as it is written, at most 256 bytes of it. For messages; the value must not have been read yet.
std::string jsonExcerpt(simdjson::ondemand::value value);

/// Decodes base64, of the usual alphabet, with or without the padding; returns false where it is not valid.
bool decodeBase64(std::string_view text, std::string &bytes);

} // namespace mlc::serve

#endif
