//===- Report.h - the capability report ----------------------------------------------------------------------------*-
// C++ -*-===//
#ifndef MLC_LIB_DRIVER_REPORT_H
#define MLC_LIB_DRIVER_REPORT_H

#include "lib/Import/ImportProblem.h"

#include <string>
#include <vector>

namespace mlc {

/// What keeps a model from being compiled, for people: one line a problem.
std::string formatReport(const std::string &file, const std::vector<ImportProblem> &problems);

/// The same as a JSON object: {"model", "supported", "problems": [{node, op, opset, attribute, reason, way_out,
/// unsupported}]}.
std::string formatReportJson(const std::string &file, const std::vector<ImportProblem> &problems);

/// "file: node 'x' (Conv, opset 13): reason; way out"
std::string formatProblem(const std::string &file, const ImportProblem &problem);

} // namespace mlc

#endif
