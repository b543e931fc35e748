//===- Builtins.cpp - what the language comes with ---------------------------------------------------------------===//
#include "lib/Import/Dsl/Builtins.h"

#include "lib/Import/Dsl/Kinds.h"
#include "lib/Import/Dsl/Parser.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/ErrorHandling.h"

using llvm::StringRef;

namespace mlc::dsl {

const Builtins &Builtins::get() {
  static const Builtins builtins;
  return builtins;
}

Builtins::Builtins() {
  addContractions(*this);
  addWindows(*this);
  addNormalizations(*this);
  addAttention(*this);
  addRecurrence(*this);
  addActivations(*this);
  addArithmetic(*this);
  addMovement(*this);
  addTraining(*this);
  for (const std::string &name : elementTypeNames())
    words.insert(name);
  for (const auto &[group, members] : groups) {
    words.erase(group);
    words.erase(group + "s");
  }
}

std::vector<Parameter> Builtins::parameters(StringRef signature, std::string &name) {
  std::vector<ImportProblem> problems;
  Source source("signature", signature.str());
  Diagnostics diagnostics(source, problems);
  Block block = parseSignature(source, diagnostics);
  name = block.name.text;
  for (const Parameter &parameter : block.parameters)
    for (const Name &kind : parameter.kinds)
      if (!isGeneralKind(kind.text))
        words.insert(kind.text);
  return std::move(block.parameters);
}

void Builtins::add(StringRef signature, StringRef summary, Datum (*make)(Call &), bool hasWeights) {
  auto builtin = std::make_unique<Builtin>();
  builtin->parameters = parameters(signature, builtin->name);
  builtin->signature = signature.str();
  builtin->summary = summary.str();
  builtin->family = current;
  builtin->hasWeights = hasWeights;
  builtin->make = make;
  words.insert(builtin->name);
  byName[builtin->name] = builtin.get();
  builtins.push_back(std::move(builtin));
}

void Builtins::addMember(StringRef group, StringRef signature) {
  Member member;
  member.signature = signature.str();
  if (signature.contains('('))
    member.parameters = parameters(signature, member.name);
  else
    member.name = signature.str();
  // A choice of a training program alone is no word of a model.
  if (group == "initializer")
    words.insert(member.name);
  groups[group.str()].push_back(std::move(member));
}

const Builtin *Builtins::find(StringRef name) const {
  auto it = byName.find(name.str());
  return it == byName.end() ? nullptr : it->second;
}

const Member *Builtins::find(StringRef group, StringRef name) const {
  auto it = groups.find(group.str());
  if (it == groups.end())
    return nullptr;
  for (const Member &member : it->second)
    if (member.name == name)
      return &member;
  return nullptr;
}

std::vector<std::string> Builtins::names() const {
  std::vector<std::string> all;
  for (const auto &builtin : builtins)
    all.push_back(builtin->name);
  for (const std::string &name : names("initializer"))
    all.push_back(name);
  return all;
}

std::vector<std::string> Builtins::names(StringRef group) const {
  std::vector<std::string> all;
  if (auto it = groups.find(group.str()); it != groups.end())
    for (const Member &member : it->second)
      all.push_back(member.name);
  return all;
}

//===------------------------------------------------------------------------------------------------------------===//
// Element types
//===------------------------------------------------------------------------------------------------------------===//

std::vector<std::string> elementTypeNames() {
  return {"f16", "bf16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool"};
}

mlir::Type elementType(mlir::MLIRContext *context, StringRef name) {
  mlir::Builder b(context);
  unsigned width = 0;
  if (name == "f16")
    return b.getF16Type();
  if (name == "bf16")
    return b.getBF16Type();
  if (name == "f32")
    return b.getF32Type();
  if (name == "f64")
    return b.getF64Type();
  if (name == "bool")
    return b.getI1Type();
  if (!llvm::is_contained(elementTypeNames(), name) || name.drop_front().getAsInteger(10, width))
    return {};
  return name.starts_with("u") ? mlir::IntegerType::get(context, width, mlir::IntegerType::Unsigned)
                               : b.getIntegerType(width);
}

std::string nameOf(mlir::Type element) {
  if (element.isBF16())
    return "bf16";
  if (element.isInteger(1))
    return "bool";
  unsigned width = element.getIntOrFloatBitWidth();
  return (llvm::isa<mlir::FloatType>(element) ? "f" : element.isUnsignedInteger() ? "u" : "i") + std::to_string(width);
}

} // namespace mlc::dsl
