//===- Description.cpp - what the language comes with, as JSON ---------------------------------------------------===//
#include "lib/Import/Dsl/Builtins.h"
#include "lib/Import/Dsl/ImportDsl.h"
#include "lib/Import/Dsl/Lexer.h"

#include <nlohmann/json.hpp>

std::string mlc::describeLanguage() {
  using namespace mlc::dsl;
  const Builtins &builtins = Builtins::get();
  nlohmann::ordered_json json;
  json["keywords"] = std::vector<std::string>(keywords());
  json["types"] = elementTypeNames();
  for (const auto &builtin : builtins.all())
    json["functions"].push_back({{"name", builtin->name},
                                 {"family", builtin->family},
                                 {"signature", builtin->signature},
                                 {"summary", builtin->summary},
                                 {"has_weights", builtin->hasWeights}});
  for (const auto &[group, members] : builtins.allGroups())
    for (const Member &member : members)
      json["groups"][group].push_back({{"name", member.name}, {"signature", member.signature}});
  return json.dump(2) + "\n";
}
