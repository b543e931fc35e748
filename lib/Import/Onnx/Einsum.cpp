//===- Einsum.cpp - Einsum as transposes, sums and matrix products -----------------------------------------------===//
//
// Operands are joined from the left: what only one side has and nobody else needs is summed first, then the labels are
// batch (both sides, kept), contracted (both, not kept), or free (one side), and one matmul joins them. An ellipsis
// stands for labels of its own.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

#include <numeric>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

/// Labels of axes: letters, and negative numbers for the axes of an ellipsis, -1 being the last one.
using Labels = SmallVector<int, 6>;

struct Term final {
  Value value;
  Labels labels;
};

Labels parse(NodeImporter &n, StringRef text, std::optional<int64_t> rank, int64_t &ellipsis) {
  Labels labels;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ')
      continue;
    if (text.substr(i).starts_with("...")) {
      i += 2;
      int64_t letters = llvm::count_if(text, [](char c) { return llvm::isAlpha(c); });
      int64_t axes = rank ? *rank - letters : ellipsis;
      n.require(axes >= 0, "the equation has more labels than an operand has axes");
      ellipsis = std::max(ellipsis, axes);
      for (int64_t k = axes; k > 0; --k)
        labels.push_back(-k);
      continue;
    }
    if (!llvm::isAlpha(text[i]))
      n.fail("unexpected '" + Twine(text[i]) + "' in the equation", "equation");
    labels.push_back(text[i]);
  }
  if (rank && *rank != static_cast<int64_t>(labels.size()))
    n.fail("expected " + Twine(labels.size()) + " axes for '" + text + "', but got " + Twine(*rank));
  return labels;
}

/// Sums over the axes whose labels are not in `kept`.
void sumAway(NodeImporter &n, Term &term, const std::set<int> &kept) {
  Ints axes;
  Labels left;
  for (auto [axis, label] : llvm::enumerate(term.labels))
    if (kept.count(label))
      left.push_back(label);
    else
      axes.push_back(axis);
  if (!axes.empty())
    term.value = n.reduce(ReduceKind::sum, term.value, axes, false);
  term.labels = left;
}

/// Keeps the diagonal of axes with the same label: elements off it become 0 and are summed away.
void takeDiagonals(NodeImporter &n, Term &term) {
  for (size_t i = 0; i < term.labels.size(); ++i)
    for (size_t j = i + 1; j < term.labels.size();) {
      if (term.labels[i] != term.labels[j]) {
        ++j;
        continue;
      }
      Shape shape = n.shape(term.value);
      Type i64 = n.b.getI64Type();
      Value same = n.compare(CompareDirection::eq, n.iota(i, shape, i64), n.iota(j, shape, i64));
      term.value = n.reduce(ReduceKind::sum, n.select(same, term.value, n.scalarLike(term.value, 0)),
                            static_cast<int64_t>(j), false);
      term.labels.erase(term.labels.begin() + j);
    }
}

/// Brings the axes into the order of `labels`; those that the term lacks become axes of size 1.
Value arrange(NodeImporter &n, const Term &term, ArrayRef<int> labels) {
  Ints permutation, missing;
  for (auto [i, label] : llvm::enumerate(labels)) {
    auto it = llvm::find(term.labels, label);
    if (it == term.labels.end())
      missing.push_back(i);
    else
      permutation.push_back(it - term.labels.begin());
  }
  Value value = n.transpose(term.value, permutation);
  return missing.empty() ? value : n.unsqueeze(value, missing);
}

Term join(NodeImporter &n, Term lhs, Term rhs, const std::set<int> &needed) {
  std::set<int> inLhs(lhs.labels.begin(), lhs.labels.end()), inRhs(rhs.labels.begin(), rhs.labels.end());
  std::set<int> keepLhs(needed), keepRhs(needed);
  keepLhs.insert(inRhs.begin(), inRhs.end());
  keepRhs.insert(inLhs.begin(), inLhs.end());
  sumAway(n, lhs, keepLhs);
  sumAway(n, rhs, keepRhs);
  Labels batch, sum, rows, columns;
  for (int label : lhs.labels)
    (inRhs.count(label) ? (needed.count(label) ? batch : sum) : rows).push_back(label);
  for (int label : rhs.labels)
    if (!inLhs.count(label))
      columns.push_back(label);
  auto concat = [](std::initializer_list<ArrayRef<int>> parts) {
    Labels all;
    for (ArrayRef<int> part : parts)
      all.append(part.begin(), part.end());
    return all;
  };
  // [batch…, rows, sum] x [batch…, sum, columns]; the groups become one axis each. Batch axes of size 1 stretch.
  Value left = arrange(n, lhs, concat({batch, rows, sum})), right = arrange(n, rhs, concat({batch, sum, columns}));
  Shape leftShape = n.shape(left), rightShape = n.shape(right);
  auto part = [&](ArrayRef<Size> shape, size_t from, size_t count) {
    return n.sizes.product(shape.slice(from, count));
  };
  Shape leftFlat(leftShape.begin(), leftShape.begin() + batch.size()),
      rightFlat(rightShape.begin(), rightShape.begin() + batch.size());
  leftFlat.append(
      {part(leftShape, batch.size(), rows.size()), part(leftShape, batch.size() + rows.size(), sum.size())});
  rightFlat.append(
      {part(rightShape, batch.size(), sum.size()), part(rightShape, batch.size() + sum.size(), columns.size())});
  Value product = n.make<MatMulOp>(n.reshape(left, leftFlat), n.reshape(right, rightFlat));
  product = n.cast(product, n.element(left)); // sums of bytes wrap
  Shape shape = n.shape(product);
  shape.resize(batch.size());
  shape.append(leftShape.begin() + batch.size(), leftShape.begin() + batch.size() + rows.size());
  shape.append(rightShape.begin() + batch.size() + sum.size(), rightShape.end());
  return {n.reshape(product, shape), concat({batch, rows, columns})};
}

Values einsum(NodeImporter &n) {
  std::string equation = n.stringAttr("equation", "");
  llvm::erase(equation, ' ');
  auto [left, right] = StringRef(equation).split("->");
  bool isExplicit = StringRef(equation).contains("->");
  SmallVector<StringRef> texts;
  left.split(texts, ',');
  Values inputs = n.inputs();
  n.require(texts.size() == inputs.size(), "expected one term of the equation an input");
  int64_t ellipsis = 0;
  SmallVector<Term> terms;
  std::map<int, int> counts;
  for (auto [text, input] : llvm::zip(texts, inputs)) {
    Term term{input, parse(n, text, n.rank(input), ellipsis)};
    for (int label : term.labels)
      ++counts[label];
    takeDiagonals(n, term);
    terms.push_back(term);
  }
  Labels output;
  if (isExplicit) {
    output = parse(n, right, std::nullopt, ellipsis);
  } else { // the ellipsis, then the labels that appear once, sorted
    for (auto [label, count] : counts)
      if (label < 0 || count == 1)
        output.push_back(label);
  }
  for (int label : output)
    n.require(counts.count(label) || label < 0, "the result has a label that no operand has");
  Term result = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    std::set<int> needed(output.begin(), output.end());
    for (size_t j = i + 1; j < terms.size(); ++j)
      needed.insert(terms[j].labels.begin(), terms[j].labels.end());
    result = join(n, result, terms[i], needed);
  }
  sumAway(n, result, {output.begin(), output.end()});
  return {arrange(n, result, output)};
}

} // namespace

void registerEinsum(Registry &r) { r.add("Einsum", 12, einsum); }

} // namespace mlc::onnximport
