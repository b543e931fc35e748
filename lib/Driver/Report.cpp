//===- Report.cpp - the capability report ------------------------------------------------------------------------===//
#include "lib/Driver/Report.h"

#include <nlohmann/json.hpp>

namespace mlc {

std::string formatProblem(const std::string &file, const ImportProblem &problem) {
  std::string text = file + ": ";
  if (problem.line) {
    text =
        file + ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column) + ": error: " + problem.reason;
    if (!problem.wayOut.empty())
      text += "; " + problem.wayOut;
    return text + "\n" + problem.excerpt;
  }
  if (!problem.node.empty() || !problem.op.empty()) {
    bool isNode =
        problem.opset != 0 || (problem.op != "input" && problem.op != "output" && problem.op != "initializer");
    text += isNode ? "node '" + problem.node + "' (" + problem.op : problem.op + " '" + problem.node + "'";
    if (isNode)
      text += (problem.opset ? ", opset " + std::to_string(problem.opset) : "") + std::string(")");
    if (!problem.attribute.empty())
      text += ", attribute '" + problem.attribute + "'";
    text += ": ";
  }
  text += problem.reason;
  if (!problem.wayOut.empty())
    text += "; " + problem.wayOut;
  return text;
}

std::string formatReport(const std::string &file, const std::vector<ImportProblem> &problems) {
  if (problems.empty())
    return file + ": every node is supported\n";
  std::string text;
  for (const ImportProblem &problem : problems)
    text += formatProblem(file, problem) + "\n";
  return text + file + ": " + std::to_string(problems.size()) + (problems.size() == 1 ? " problem\n" : " problems\n");
}

std::string formatReportJson(const std::string &file, const std::vector<ImportProblem> &problems) {
  nlohmann::json json{{"model", file}, {"supported", problems.empty()}, {"problems", nlohmann::json::array()}};
  for (const ImportProblem &p : problems)
    json["problems"].push_back({{"node", p.node},
                                {"op", p.op},
                                {"opset", p.opset},
                                {"attribute", p.attribute},
                                {"reason", p.reason},
                                {"way_out", p.wayOut},
                                {"unsupported", p.unsupported}});
  for (auto [entry, p] : llvm::zip(json["problems"], problems))
    if (p.line)
      entry.update({{"line", p.line}, {"column", p.column}});
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

} // namespace mlc
