//===- ProfileTable.cpp - the times of a model's nodes, as people and programs read them -------------------------===//
#include "runtime/profile/ProfileTable.h"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace mlc {

namespace {

/// A node with what follows from its time.
struct Row final {
  std::string name, kind;
  uint64_t calls = 0, flops = 0, bytes = 0;
  /// Milliseconds a run, and what they are of all.
  double ms = 0, percent = 0;
  /// Operations and bytes a second; 0 where unknown.
  double flopRate = 0, byteRate = 0;
};

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

std::vector<Row> makeRows(const mlc_profile &profile) {
  std::vector<Row> rows;
  for (uint32_t i = 0; i < profile.num_nodes; ++i) {
    const mlc_node_info &node = profile.nodes[i];
    const mlc_node_time &time = profile.times[i];
    double nanoseconds = static_cast<double>(time.nanoseconds), calls = static_cast<double>(time.calls);
    Row row{node.name, node.kind, time.calls, node.flops, node.bytes};
    row.ms = nanoseconds / 1e6 / static_cast<double>(profile.runs);
    row.percent = 100 * ratio(nanoseconds, static_cast<double>(profile.nanoseconds));
    row.flopRate = 1e9 * ratio(static_cast<double>(node.flops) * calls, nanoseconds);
    row.byteRate = 1e9 * ratio(static_cast<double>(node.bytes) * calls, nanoseconds);
    rows.push_back(row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row &a, const Row &b) { return a.ms > b.ms; });
  return rows;
}

/// All nodes together, with the time between them.
Row makeTotal(const std::vector<Row> &rows, const mlc_profile &profile) {
  Row total;
  total.name = "total";
  total.ms = static_cast<double>(profile.nanoseconds) / 1e6 / static_cast<double>(profile.runs);
  total.percent = 100;
  double flops = 0, bytes = 0;
  for (const Row &row : rows) {
    total.calls += row.calls;
    flops += static_cast<double>(row.flops) * static_cast<double>(row.calls);
    bytes += static_cast<double>(row.bytes) * static_cast<double>(row.calls);
  }
  double runs = static_cast<double>(profile.runs);
  total.flops = static_cast<uint64_t>(flops / runs);
  total.bytes = static_cast<uint64_t>(bytes / runs);
  total.flopRate = ratio(flops / runs, total.ms / 1e3);
  total.byteRate = ratio(bytes / runs, total.ms / 1e3);
  return total;
}

/// What lies between the nodes, and behind the last one.
Row makeBetween(const std::vector<Row> &rows, const Row &total) {
  Row between;
  between.name = "(between nodes)";
  between.ms = total.ms;
  for (const Row &row : rows)
    between.ms -= row.ms;
  between.percent = 100 * ratio(between.ms, total.ms);
  return between;
}

nlohmann::ordered_json rowToJson(const Row &row, const MachinePeak &peak) {
  return {{"name", row.name},
          {"kind", row.kind},
          {"calls", row.calls},
          {"ms", row.ms},
          {"percent", row.percent},
          {"flops", row.flops},
          {"bytes", row.bytes},
          {"gflops", row.flopRate / 1e9},
          {"gbytes", row.byteRate / 1e9},
          {"percent_of_peak_flops", 100 * ratio(row.flopRate, peak.flops)},
          {"percent_of_peak_bytes", 100 * ratio(row.byteRate, peak.bytes)}};
}

std::string format(const char *pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

/// 1234567 as 1.23M.
std::string shorten(uint64_t value) {
  double scaled = static_cast<double>(value);
  const char *unit = "";
  for (const char *next : {"k", "M", "G", "T"})
    if (scaled >= 999.5) {
      scaled /= 1000;
      unit = next;
    }
  return value == 0 ? "-"
                    : format(*unit && scaled < 99.95 ? (scaled < 9.995 ? "%.2f" : "%.1f") : "%.0f", scaled) + unit;
}

/// Longer names lose their middle.
std::string clip(const std::string &name) {
  constexpr size_t kMost = 48;
  return name.size() <= kMost ? name : name.substr(0, kMost / 2 - 2) + "..." + name.substr(name.size() - kMost / 2 + 1);
}

std::vector<std::string> toCells(const Row &row, const MachinePeak &peak) {
  auto rate = [](const char *pattern, double value) { return value > 0 ? format(pattern, value) : "-"; };
  return {clip(row.name),
          row.kind,
          std::to_string(row.calls),
          format("%.4f", row.ms),
          format("%.1f", row.percent),
          shorten(row.flops),
          shorten(row.bytes),
          rate("%.2f", row.flopRate / 1e9),
          rate("%.2f", row.byteRate / 1e9),
          rate("%.1f", 100 * ratio(row.flopRate, peak.flops)),
          rate("%.1f", 100 * ratio(row.byteRate, peak.bytes))};
}

/// Columns of numbers to the right, the first two to the left.
std::string align(const std::vector<std::vector<std::string>> &lines) {
  std::vector<size_t> widths(lines[0].size(), 0);
  for (const auto &line : lines)
    for (size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], line[i].size());
  std::string text;
  for (const auto &line : lines) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i) {
      std::string blank(widths[i] - line[i].size(), ' ');
      row += (i ? "  " : "") + (i < 2 ? line[i] + blank : blank + line[i]);
    }
    text += row + "\n";
  }
  return text;
}

} // namespace

nlohmann::ordered_json profileToJson(const mlc_profile &profile, const MachinePeak &peak, int threads) {
  std::vector<Row> rows = makeRows(profile);
  Row total = makeTotal(rows, profile), between = makeBetween(rows, total);
  nlohmann::ordered_json nodes = nlohmann::ordered_json::array();
  for (const Row &row : rows)
    nodes.push_back(rowToJson(row, peak));
  return {{"runs", profile.runs},
          {"threads", threads},
          {"total_ms", total.ms},
          {"between_ms", between.ms},
          {"gflops", total.flopRate / 1e9},
          {"gbytes", total.byteRate / 1e9},
          {"peak", {{"gflops", peak.flops / 1e9}, {"gbytes", peak.bytes / 1e9}, {"isa", peak.isa}}},
          {"nodes", nodes}};
}

std::string profileToTable(const mlc_profile &profile, const MachinePeak &peak, int threads) {
  std::vector<Row> rows = makeRows(profile);
  Row total = makeTotal(rows, profile), between = makeBetween(rows, total);
  std::vector<std::vector<std::string>> lines{
      {"node", "kind", "calls", "ms/run", "%", "FLOPs", "bytes", "GFLOP/s", "GB/s", "% FLOP/s", "% GB/s"}};
  for (const Row &row : rows)
    lines.push_back(toCells(row, peak));
  lines.push_back(toCells(between, peak));
  lines.push_back(toCells(total, peak));
  return align(lines) + "\n" + std::to_string(profile.runs) + " runs, " + std::to_string(threads) +
         (threads == 1 ? " thread" : " threads") + "; peak " + format("%.1f", peak.flops / 1e9) + " GFLOP/s (f32, " +
         peak.isa + "), " + format("%.1f", peak.bytes / 1e9) + " GB/s (memory)\n";
}

} // namespace mlc
