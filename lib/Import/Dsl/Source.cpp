//===- Source.cpp - the text of a model, and what is wrong with it -----------------------------------------------===//
#include "lib/Import/Dsl/Source.h"

#include "llvm/ADT/Twine.h"

#include <algorithm>

using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

/// Beyond these, more is noise.
constexpr size_t kMaxProblems = 50, kMaxLine = 160, kMaxCalls = 4;

bool isContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// How many characters a UTF-8 text has.
unsigned characters(StringRef text) {
  return static_cast<unsigned>(std::count_if(text.begin(), text.end(), [](char c) { return !isContinuation(c); }));
}

} // namespace

Source::Source(std::string path, std::string contents) : path(std::move(path)), text(std::move(contents)) {
  starts.push_back(0);
  for (uint32_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n')
      starts.push_back(i + 1);
}

size_t Source::lineOf(uint32_t offset) const {
  return std::upper_bound(starts.begin(), starts.end(), offset) - starts.begin() - 1;
}

StringRef Source::line(size_t index) const {
  uint32_t end = index + 1 < starts.size() ? starts[index + 1] - 1 : static_cast<uint32_t>(text.size());
  return StringRef(text).slice(starts[index], end).rtrim('\r');
}

Source::Place Source::locate(uint32_t offset) const {
  size_t index = lineOf(offset);
  return {static_cast<unsigned>(index + 1), characters(StringRef(text).slice(starts[index], offset)) + 1};
}

std::string Source::excerpt(Range range) const {
  size_t index = lineOf(range.begin);
  StringRef whole = line(index);
  size_t at = std::min<size_t>(range.begin - starts[index], whole.size());
  size_t end = std::clamp<size_t>(range.end - starts[index], at, whole.size());
  // Of a long line, the part around the caret.
  size_t from = at > kMaxLine / 2 ? at - kMaxLine / 2 : 0;
  while (from > 0 && isContinuation(whole[from]))
    --from;
  size_t to = std::min(whole.size(), from + kMaxLine);
  std::string shown, marks;
  for (char c : whole.slice(from, to))
    shown += static_cast<unsigned char>(c) < ' ' && c != '\t' ? ' ' : c;
  for (char c : whole.slice(from, at))
    if (!isContinuation(c))
      marks += c == '\t' ? '\t' : ' ';
  unsigned length = characters(whole.slice(at, std::min(end, to)));
  return "  " + shown + "\n  " + marks + "^" + std::string(length > 1 ? length - 1 : 0, '~');
}

void Diagnostics::error(Range range, const Twine &reason, const Twine &wayOut) {
  error(Error{range, reason.str(), wayOut.str()}, {});
}

void Diagnostics::error(const Error &error, llvm::ArrayRef<std::pair<std::string, Range>> calls) {
  if (problems.size() >= kMaxProblems || !reported.emplace(error.range.begin, error.reason).second)
    return;
  Source::Place place = source.locate(error.range.begin);
  ImportProblem &problem = problems.emplace_back();
  problem.reason = error.reason;
  problem.wayOut = error.wayOut;
  problem.line = place.line;
  problem.column = place.column;
  problem.excerpt = source.excerpt(error.range);
  size_t shown = 0;
  for (const auto &[name, from] : llvm::reverse(calls)) {
    if (++shown > kMaxCalls)
      break;
    Source::Place caller = source.locate(from.begin);
    problem.excerpt +=
        "\n  in '" + name + "', called at " + std::to_string(caller.line) + ":" + std::to_string(caller.column);
  }
}

} // namespace mlc::dsl
