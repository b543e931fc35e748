//===- Masking.h - what may be logged of a request's inputs --------------------------------------------- -*- C++
//-*-===//
// Inputs may be personal data, so nothing of them is logged unless a rule says so: the first rule that matches model
// and field decides, and without one the field is dropped. A rules file:
//   {"key_file": "mask.key", "rules": [{"model": "credit_*", "field": "age", "action": "hash"},
//                                      {"model": "*", "field": "image", "action": "truncate", "length": 4}]}
// Actions: drop; hash (HMAC-SHA-256 of the bytes under the key: equal inputs are found again, values are not);
// truncate (the sizes and the first `length` values); keep (all values, at most 4096).
#ifndef MLC_RUNTIME_SERVE_MASKING_H
#define MLC_RUNTIME_SERVE_MASKING_H

#include "runtime/serve/Tensor.h"

#include <span>
#include <string>
#include <vector>

namespace mlc::serve {

class Masking final {
public:
  enum class Action { drop, hash, truncate, keep };

  /// Drops every field.
  Masking() = default;
  /// Throws Error: NOT_FOUND where a file is missing, INVALID_ARGUMENT where the rules are not valid.
  static Masking read(const std::string &path);
  /// The same of the rules' text; `folder` is where a relative `key_file` is.
  static Masking parse(const std::string &text, const std::string &folder);

  /// A JSON object of the fields that are not dropped, or nothing where there are none. Thread-safe.
  std::string apply(const std::string &model, std::span<const Tensor> inputs) const;

private:
  struct Rule final {
    std::string model, field; // patterns of the shell
    Action action = Action::drop;
    size_t length = 0;
  };
  std::vector<Rule> rules;
  std::string key;
};

} // namespace mlc::serve

#endif
