//===- ArrayColumns.cpp - samples of arrays ----------------------------------------------------------------------===//
//
// Axis 0 counts the samples. A row is converted when it is read; labels are checked, all of them, when they are bound:
// a number out of range would otherwise end a run after hours.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Dataset.h"
#include "runtime/train/InputError.h"

#include <algorithm>
#include <cmath>
#include <deque>

namespace mlc::train {

namespace {

std::vector<int64_t> rowSizes(const mlc_tensor_info &info) {
  return info.rank ? std::vector<int64_t>(info.sizes + 1, info.sizes + info.rank) : std::vector<int64_t>();
}

int64_t countOf(const std::vector<int64_t> &sizes) {
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  return count;
}

std::string expectedText(const mlc_tensor_info &info) {
  return std::string(dtypeName(info.dtype)) + " " + shapeText({info.sizes, info.sizes + info.rank});
}

std::string actualText(const Array &array) {
  return std::string(dtypeName(array.dtype)) + " " + shapeText(array.sizes);
}

/// The sizes of a row where `from` fits `wanted`, whose sizes may be open: equal, or equal but for axes of one. Empty
/// optional-like: `fits` says whether.
bool fitRow(const std::vector<int64_t> &from, const std::vector<int64_t> &wanted, std::vector<int64_t> &sizes) {
  sizes = wanted;
  if (from.size() == wanted.size()) {
    for (size_t i = 0; i < from.size(); ++i)
      if (wanted[i] >= 0 && wanted[i] != from[i])
        return false;
    sizes = from;
    return true;
  }
  size_t at = 0;
  auto skipOnes = [&] {
    while (at < from.size() && from[at] == 1)
      ++at;
  };
  for (int64_t &size : sizes) {
    if (size == 1)
      continue;
    skipOnes();
    if (at == from.size() || (size >= 0 && size != from[at]))
      return false;
    size = from[at++];
  }
  skipOnes();
  return at == from.size();
}

class ArrayColumn final : public Column {
public:
  ArrayColumn(Array array, uint32_t type, std::vector<int64_t> row) : array(std::move(array)) {
    dtype = type;
    sizes = std::move(row);
    elements = countOf(sizes);
    stride = static_cast<uint64_t>(elements) * elementBytes(this->array.dtype);
  }
  void read(int64_t row, void *to) const override {
    convertElements(array.dtype, array.data + static_cast<uint64_t>(row) * stride, dtype, to, elements);
  }

private:
  Array array;
  int64_t elements;
  uint64_t stride;
};

/// Class numbers become one-hot rows, or the reverse (the first largest).
class ClassColumn final : public Column {
public:
  ClassColumn(Array array, uint32_t type, std::vector<int64_t> row, int64_t classes, bool toOneHot)
      : array(std::move(array)), classes(classes), toOneHot(toOneHot) {
    dtype = type;
    sizes = std::move(row);
    numbers = countOf(sizes) / (toOneHot ? classes : 1);
  }
  void read(int64_t row, void *to) const override {
    size_t width = elementBytes(dtype);
    auto *out = static_cast<char *>(to);
    std::vector<double> values(static_cast<size_t>(toOneHot ? numbers : numbers * classes));
    auto count = static_cast<int64_t>(values.size());
    convertElements(array.dtype, array.data + static_cast<size_t>(row * count) * elementBytes(array.dtype), MLC_F64,
                    values.data(), count);
    for (int64_t i = 0; i < numbers; ++i) {
      if (!toOneHot) {
        auto begin = values.begin() + i * classes;
        double number = static_cast<double>(std::max_element(begin, begin + classes) - begin);
        convertElements(MLC_F64, &number, dtype, out + static_cast<size_t>(i) * width, 1);
        continue;
      }
      std::vector<double> hot(static_cast<size_t>(classes), 0.0);
      hot[static_cast<size_t>(values[static_cast<size_t>(i)])] = 1;
      convertElements(MLC_F64, hot.data(), dtype, out + static_cast<size_t>(i * classes) * width, classes);
    }
  }

private:
  Array array;
  int64_t classes, numbers;
  bool toOneHot;
};

/// Every class number is whole and in [0, classes).
void checkClasses(const std::string &where, const Array &array, int64_t classes) {
  int64_t count = array.count(), wrong = 0, first = -1;
  double came = 0;
  constexpr int64_t part = 4096;
  double values[part];
  for (int64_t begin = 0; begin < count; begin += part) {
    int64_t length = std::min(part, count - begin);
    convertElements(array.dtype, array.data + static_cast<size_t>(begin) * elementBytes(array.dtype), MLC_F64, values,
                    length);
    for (int64_t i = 0; i < length; ++i)
      if (!(values[i] >= 0 && values[i] < static_cast<double>(classes) && values[i] == std::floor(values[i]))) {
        if (first < 0) {
          first = begin + i;
          came = values[i];
        }
        ++wrong;
      }
  }
  if (wrong == 0)
    return;
  char number[32];
  std::snprintf(number, sizeof number, "%g", came);
  throw InputError(where + ": expected class numbers in [0, " + std::to_string(classes) + "), but got " + number +
                   " at index " + std::to_string(first) + " (" + std::to_string(wrong) + " of " +
                   std::to_string(count) + " are out of range)");
}

std::unique_ptr<Column> bindInput(const std::string &where, const Array &array, const mlc_tensor_info &info) {
  std::vector<int64_t> sizes;
  if (array.sizes.empty() || !fitRow({array.sizes.begin() + 1, array.sizes.end()}, rowSizes(info), sizes))
    throw InputError(where + ": expected " + expectedText(info) + ", but got " + actualText(array));
  return std::make_unique<ArrayColumn>(array, info.dtype, sizes);
}

std::unique_ptr<Column> bindLabel(const std::string &where, const Array &array, const Signature &signature) {
  const mlc_tensor_info &info = signature.label;
  std::vector<int64_t> wanted = rowSizes(info), sizes;
  std::string expected = expectedText(info);
  if (!array.sizes.empty()) {
    std::vector<int64_t> from(array.sizes.begin() + 1, array.sizes.end());
    if (signature.form == LabelForm::OneHot) {
      expected += " (one-hot), or class numbers without the last axis";
      if (!wanted.empty() && wanted.back() < 0)
        wanted.back() = signature.classes;
      if (fitRow(from, wanted, sizes))
        return std::make_unique<ArrayColumn>(array, info.dtype, sizes);
      if (!wanted.empty() && fitRow(from, {wanted.begin(), wanted.end() - 1}, sizes)) {
        checkClasses(where, array, signature.classes);
        sizes.push_back(wanted.back());
        return std::make_unique<ClassColumn>(array, info.dtype, sizes, signature.classes, /*toOneHot=*/true);
      }
    } else {
      if (fitRow(from, wanted, sizes)) {
        if (signature.form == LabelForm::Classes)
          checkClasses(where, array, signature.classes);
        return std::make_unique<ArrayColumn>(array, info.dtype, sizes);
      }
      if (signature.form == LabelForm::Classes) {
        expected += " of class numbers, or one-hot with a last axis of " + std::to_string(signature.classes);
        if (!from.empty() && from.back() == signature.classes && fitRow({from.begin(), from.end() - 1}, wanted, sizes))
          return std::make_unique<ClassColumn>(array, info.dtype, sizes, signature.classes, /*toOneHot=*/false);
      }
    }
  }
  throw InputError(where + ": expected " + expected + ", but got " + actualText(array));
}

} // namespace

uint64_t Column::rowBytes() const { return static_cast<uint64_t>(countOf(sizes)) * elementBytes(dtype); }

Dataset bindArrays(const std::string &place, const std::vector<std::pair<std::string, Array>> &arrays,
                   const Signature &signature, bool needsLabel) {
  auto find = [&](const std::vector<std::string> &names) -> const std::pair<std::string, Array> * {
    for (const std::string &name : names)
      for (const auto &named : arrays)
        if (named.first == name)
          return &named;
    return nullptr;
  };
  auto missing = [&](const std::string &what) {
    std::string names;
    for (const auto &[name, array] : arrays)
      names += (names.empty() ? "" : ", ") + name;
    throw InputError(place + ": expected an array " + what + ", but got " + (names.empty() ? "none" : names));
  };
  Dataset dataset;
  std::string counted;
  auto count = [&](const std::string &name, const Array &array) {
    if (counted.empty()) {
      counted = name;
      dataset.count = array.sizes[0];
    } else if (array.sizes[0] != dataset.count) {
      throw InputError(place + ": expected as many samples in '" + name + "' as in '" + counted + "', " +
                       std::to_string(dataset.count) + ", but got " + std::to_string(array.sizes[0]));
    }
  };
  for (const mlc_tensor_info &input : signature.inputs) {
    bool isOnly = signature.inputs.size() == 1;
    const auto *found = find(isOnly ? std::vector<std::string>{input.name, "x"} : std::vector<std::string>{input.name});
    if (!found)
      missing("'" + std::string(input.name) + "'" + (isOnly ? " or 'x'" : ""));
    dataset.inputs.push_back(bindInput(place + ": array '" + found->first + "'", found->second, input));
    count(found->first, found->second);
  }
  if (const auto *found = needsLabel ? find({signature.labelName, "label", "y"}) : nullptr) {
    dataset.label = bindLabel(place + ": array '" + found->first + "'", found->second, signature);
    count(found->first, found->second);
  } else if (needsLabel) {
    missing("'" + signature.labelName + "' or 'y'");
  }
  if (dataset.count == 0)
    throw InputError(place + ": expected samples, but there are none");
  return dataset;
}

Dataset bindBatch(const std::string &place, std::vector<std::pair<std::string, Array>> arrays,
                  const Signature &signature, bool needsLabel) {
  // The one sample of a data set whose tensors have an axis of 1 in front of theirs.
  std::deque<std::vector<int64_t>> sizes;
  auto wrap = [&](mlc_tensor_info &info) {
    auto &wrapped = sizes.emplace_back(info.sizes, info.sizes + info.rank);
    wrapped.insert(wrapped.begin(), 1);
    info.sizes = wrapped.data();
    ++info.rank;
  };
  Signature ofSample = signature;
  for (mlc_tensor_info &input : ofSample.inputs)
    wrap(input);
  wrap(ofSample.label);
  for (auto &[name, array] : arrays)
    array.sizes.insert(array.sizes.begin(), 1);
  Dataset dataset = bindArrays(place, arrays, ofSample, needsLabel);
  dataset.isWhole = true;
  return dataset;
}

} // namespace mlc::train
