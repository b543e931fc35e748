//===- Csv.cpp - tables of numbers -------------------------------------------------------------------------------===//
#include "runtime/train/Csv.h"
#include "runtime/train/File.h"
#include "runtime/train/InputError.h"

#include <charconv>
#include <cstring>

namespace mlc::train {

namespace {

/// Splits the line at `text` into cells, quoted ones too, and moves behind it.
std::vector<std::string> nextLine(std::string_view &text) {
  std::vector<std::string> cells(1);
  bool isQuoted = false;
  size_t at = 0;
  for (; at < text.size(); ++at) {
    char c = text[at];
    if (isQuoted) {
      if (c != '"')
        cells.back() += c;
      else if (at + 1 < text.size() && text[at + 1] == '"')
        cells.back() += text[++at];
      else
        isQuoted = false;
    } else if (c == '"') {
      isQuoted = true;
    } else if (c == ',') {
      cells.emplace_back();
    } else if (c == '\n') {
      ++at;
      break;
    } else if (c != '\r') {
      cells.back() += c;
    }
  }
  text.remove_prefix(at);
  return cells;
}

} // namespace

Table readCsv(const std::string &path) {
  MappedFile file = mapFile(path);
  std::string_view text = file.text();
  if (text.substr(0, 3) == "\xEF\xBB\xBF") // a byte order mark
    text.remove_prefix(3);
  if (text.empty())
    throw InputError(path + ": expected a line of column names, but the file is empty");
  Table table;
  table.columns = nextLine(text);
  std::vector<double> values;
  size_t rows = 0;
  for (size_t line = 2; !text.empty(); ++line) {
    std::vector<std::string> cells = nextLine(text);
    if (cells.size() == 1 && cells[0].empty())
      continue;
    if (cells.size() != table.columns.size())
      throw InputError(path + ":" + std::to_string(line) + ": expected " + std::to_string(table.columns.size()) +
                       " columns, but got " + std::to_string(cells.size()));
    for (size_t i = 0; i < cells.size(); ++i) {
      std::string_view cell = cells[i];
      while (!cell.empty() && (cell.front() == ' ' || cell.front() == '+'))
        cell.remove_prefix(1);
      while (!cell.empty() && cell.back() == ' ')
        cell.remove_suffix(1);
      double value = 0;
      auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
      if (error != std::errc() || end != cell.data() + cell.size())
        throw InputError(path + ":" + std::to_string(line) + ": column '" + table.columns[i] +
                         "': expected a number, but got '" + cells[i] + "'");
      values.push_back(value);
    }
    ++rows;
  }
  table.values = Array::make(MLC_F64, {static_cast<int64_t>(rows), static_cast<int64_t>(table.columns.size())});
  if (!values.empty())
    std::memcpy(table.values.mutableData(), values.data(), values.size() * sizeof(double));
  return table;
}

} // namespace mlc::train
