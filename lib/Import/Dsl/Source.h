//===- Source.h - the text of a model, and what is wrong with it -------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_SOURCE_H
#define MLC_LIB_IMPORT_DSL_SOURCE_H

#include "lib/Import/ImportProblem.h"
#include "lib/Support/EditDistance.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <set>
#include <string>
#include <vector>

namespace mlc::dsl {

/// Bytes [begin, end) of the text.
struct Range {
  uint32_t begin = 0, end = 0;
};

/// A text with its lines.
class Source {
public:
  Source(std::string path, std::string text);

  struct Place {
    unsigned line, column;
  };
  /// Both from 1 on; columns count characters, not bytes.
  Place locate(uint32_t offset) const;
  /// The line of a place, and under it a caret with tildes for the rest of the range.
  std::string excerpt(Range range) const;

  const std::string path, text;

private:
  llvm::StringRef line(size_t index) const;
  size_t lineOf(uint32_t offset) const;
  std::vector<uint32_t> starts;
};

/// Thrown where a construct cannot go on; whoever executes statements reports it and goes on with the next one.
struct Error {
  Range range;
  std::string reason, wayOut;
};

/// Collects problems; the same one at the same place, which a loop meets again, counts once.
class Diagnostics {
public:
  Diagnostics(const Source &source, std::vector<ImportProblem> &problems) : source(source), problems(problems) {}

  void error(Range range, const llvm::Twine &reason, const llvm::Twine &wayOut = "");
  /// As above; `calls` are the places, innermost last, from where the code at fault was called.
  void error(const Error &error, llvm::ArrayRef<std::pair<std::string, Range>> calls);
  size_t count() const { return problems.size(); }

  const Source &source;

private:
  std::vector<ImportProblem> &problems;
  std::set<std::pair<uint32_t, std::string>> reported;
};

} // namespace mlc::dsl

#endif
