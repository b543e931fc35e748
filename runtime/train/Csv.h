//===- Csv.h - tables of numbers --------------------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_CSV_H
#define MLC_RUNTIME_TRAIN_CSV_H

#include "runtime/train/Array.h"

#include <string>
#include <vector>

namespace mlc::train {

/// A table: names of its columns, and its numbers row by row.
struct Table final {
  std::vector<std::string> columns;
  Array values; ///< f64 [rows, columns]
};

/// Reads a .csv file (RFC 4180; the first line names the columns). Throws InputError that names line and column.
Table readCsv(const std::string &path);

} // namespace mlc::train

#endif
