//===- TensorJson.cpp - TensorFlow Serving's predictions as JSON -------------------------------------------------===//
#include "runtime/serve/rest/TensorJson.h"

#include "runtime/serve/EventThreads.h"
#include "runtime/serve/JsonText.h"
#include "runtime/serve/SignatureDef.h"
#include "runtime/serve/rest/JsonObject.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

namespace mlc::serve {

namespace ondemand = simdjson::ondemand;

namespace {

Error invalid(const std::string &message) { return Error(Code::invalidArgument, message); }

Error wrongType(ondemand::value value, mlc_dtype dtype) {
  std::string type = jsonTypeName(value);
  return invalid("JSON Value: " + jsonExcerpt(value) + " Type: " + type +
                 " is not of expected type: " + tensorFlowShortName(dtype));
}

/// An input while it is read: tensors of one element type, one behind the other.
class Column {
public:
  explicit Column(const TensorInfo &info) : info(info) {}
  virtual ~Column() = default;

  /// Reads a tensor: a number, or lists. Its shape is that of the first element at each level.
  virtual void read(ondemand::value value) = 0;
  virtual size_t count() const = 0;
  /// Everything that was read.
  virtual Tensor take(std::vector<int64_t> sizes, std::vector<std::shared_ptr<void>> &storage) = 0;

  const TensorInfo &info;
  std::vector<int64_t> sizes; ///< of the tensor that was read last
};

/// `Json` is the type of a number that fits (TensorFlow Serving reads 8 and 16 bits as 32), T that of an element.
template <typename T, typename Json = T> class NumberColumn final : public Column {
public:
  using Column::Column;

  void read(ondemand::value value) override {
    sizes.clear();
    rank.reset();
    readAt(value, 0);
  }
  size_t count() const override { return values.size(); }

  Tensor take(std::vector<int64_t> sizes, std::vector<std::shared_ptr<void>> &storage) override {
    auto data = std::make_shared<std::vector<Element>>(std::move(values));
    storage.push_back(data);
    return {info.name, info.dtype, std::move(sizes), data->data(), data->size() * sizeof(Element)};
  }

private:
  using Element = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

  void readAt(ondemand::value value, size_t level) {
    if (rank == level)
      return readScalar(value);
    if (firstByte(value) != '[') {
      if (rank)
        throw invalid("JSON Value: " + jsonExcerpt(value) + " found at incorrect level: " + std::to_string(level + 1) +
                      " in the JSON DOM. Expected at level: " + std::to_string(*rank));
      rank = level;
      return readScalar(value);
    }
    if (level == deepestJson)
      throw invalid("expected lists that are nested at most " + std::to_string(deepestJson) + " deep, but got more");
    if (sizes.size() == level)
      sizes.push_back(-1);
    ondemand::array list;
    checkJson(value.get_array().get(list));
    int64_t size = 0;
    forEachElement(list, [&](ondemand::value element) {
      ++size;
      readAt(element, level + 1);
    });
    if (!rank)
      rank = level + 1;
    if (sizes[level] < 0)
      sizes[level] = size;
    else if (sizes[level] != size)
      throw invalid("Encountered list at unexpected size: " + std::to_string(size) +
                    " at level: " + std::to_string(level) + " expected size: " + std::to_string(sizes[level]));
  }

  void readScalar(ondemand::value value) {
    if constexpr (std::is_same_v<Json, bool>) {
      bool flag = false;
      if (value.get_bool().get(flag))
        refuse(value);
      values.push_back(flag);
    } else if constexpr (std::is_floating_point_v<Json>) {
      double number = 0;
      if (__builtin_expect(value.get_double().get(number), 0)) {
        if (!scalarWord(value, number))
          refuse(value);
      } else if (__builtin_expect(std::abs(number) > std::numeric_limits<T>::max(), 0)) {
        throw invalid("Cannot convert JSON value: " + jsonExcerpt(value) + " to " + tensorFlowShortName(info.dtype) +
                      " without loss of precision.");
      }
      values.push_back(static_cast<T>(number));
    } else {
      using Wide = std::conditional_t<std::is_signed_v<Json>, int64_t, uint64_t>;
      Wide number = 0;
      simdjson::error_code error;
      if constexpr (std::is_signed_v<Json>)
        error = value.get_int64().get(number);
      else
        error = value.get_uint64().get(number);
      if (error || number < Wide(std::numeric_limits<Json>::min()) || number > Wide(std::numeric_limits<Json>::max()))
        refuse(value);
      values.push_back(static_cast<T>(number));
    }
  }

  [[noreturn]] void refuse(ondemand::value value) const {
    if (firstByte(value) == '[')
      throw invalid("Encountered list at unexpected level: " + std::to_string(*rank) + " expected < " +
                    std::to_string(*rank));
    throw wrongType(value, info.dtype);
  }

  std::optional<size_t> rank;
  std::vector<Element> values;
};

/// An input of a type that no JSON value becomes.
class UnsupportedColumn final : public Column {
public:
  using Column::Column;
  void read(ondemand::value value) override {
    throw Error(Code::unimplemented,
                "Conversion of JSON Value: " + jsonExcerpt(value) + " to type: " + tensorFlowShortName(info.dtype));
  }
  size_t count() const override { return 0; }
  Tensor take(std::vector<int64_t>, std::vector<std::shared_ptr<void>> &) override { return {}; }
};

std::unique_ptr<Column> makeColumn(const TensorInfo &info) {
  switch (info.dtype) {
  case MLC_F32:
    return std::make_unique<NumberColumn<float>>(info);
  case MLC_F64:
    return std::make_unique<NumberColumn<double>>(info);
  case MLC_I8:
    return std::make_unique<NumberColumn<int8_t, int32_t>>(info);
  case MLC_I16:
    return std::make_unique<NumberColumn<int16_t, int32_t>>(info);
  case MLC_I32:
    return std::make_unique<NumberColumn<int32_t>>(info);
  case MLC_U8:
    return std::make_unique<NumberColumn<uint8_t, int32_t>>(info);
  case MLC_I64:
    return std::make_unique<NumberColumn<int64_t>>(info);
  case MLC_U32:
    return std::make_unique<NumberColumn<uint32_t>>(info);
  case MLC_U64:
    return std::make_unique<NumberColumn<uint64_t>>(info);
  case MLC_BOOL:
    return std::make_unique<NumberColumn<bool>>(info);
  case MLC_U16:
  case MLC_F16:
  case MLC_BF16:
    break;
  }
  return std::make_unique<UnsupportedColumn>(info);
}

class BodyReader final {
public:
  explicit BodyReader(const Signature &signature) {
    for (const TensorInfo &info : signature.inputs)
      columns.push_back(makeColumn(info));
  }

  PredictBody read(ondemand::object object, PredictForm form) {
    bool hasRows = false, hasColumns = false, described = false;
    std::string signatureName;
    forEachMember(object, [&](std::string_view key, ondemand::value value) {
      bool split = form == PredictForm::mlflow && key == "dataframe_split";
      bool rows = key == "instances" || split || (form == PredictForm::mlflow && key == "dataframe_records");
      if (key == "signature_name" && !described) {
        std::string_view name;
        if (firstByte(value) != '"')
          throw invalid("JSON Value: " + jsonExcerpt(value) +
                        " not formatted correctly. 'signature_name' key must be a string value.");
        checkJson(value.get_string().get(name));
        signatureName = name;
        described = true;
      } else if (rows || key == "inputs") {
        if (rows ? hasColumns : hasRows)
          throw invalid("Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist");
        // Of keys that are there twice, the first counts.
        if (rows && !std::exchange(hasRows, true))
          split ? readSplit(value) : readRows(value);
        else if (!rows && !std::exchange(hasColumns, true))
          readColumns(value);
      } else if (form == PredictForm::explain) {
        readExplanationKey(key, value);
      }
    });
    if (!signatureName.empty() && signatureName != servingDefault)
      throw invalid("Serving signature name: \"" + signatureName + "\" not found in signature def");
    if (!hasRows && !hasColumns)
      throw invalid("Missing 'inputs' or 'instances' key");
    body.rows = hasRows;
    for (size_t i = 0; i < columns.size(); ++i)
      if (shapes[i])
        body.inputs.push_back(columns[i]->take(std::move(*shapes[i]), body.storage));
    return std::move(body);
  }

private:
  void readRows(ondemand::value value) {
    if (firstByte(value) != '[')
      throw invalid("JSON Value: " + jsonExcerpt(value) + " Expecting 'instances' to be a list/array");
    ondemand::array list;
    checkJson(value.get_array().get(list));
    shapes.resize(columns.size());
    int64_t count = 0;
    bool named = false;
    forEachElement(list, [&](ondemand::value element) {
      bool object = firstByte(element) == '{';
      if (count == 0) {
        named = object;
        if (!named && columns.size() > 1)
          throw invalid("instances is a plain list, but expecting list of objects as multiple input tensors required "
                        "as per tensorinfo_map");
      }
      if (named != object)
        throw invalid(
            (named ? "Expecting object but got list at item " : "Expecting value/list but got object at item ") +
            std::to_string(count) + " of input list");
      if (named)
        readNamed(element, count);
      else if (!columns.empty())
        readItem(element, 0, count, "");
      ++count;
    });
    addAxisOfRows(count);
  }

  void addAxisOfRows(int64_t count) {
    if (count == 0)
      throw invalid("JSON Value: [] No values in 'instances' array");
    for (std::optional<std::vector<int64_t>> &shape : shapes)
      if (shape)
        shape->insert(shape->begin(), count);
  }

  /// {"columns": [name, ...], "data": [[value of a column, ...], ...]}: the columns are the inputs, in any order.
  void readSplit(ondemand::value value) {
    if (firstByte(value) != '{')
      throw invalid("JSON Value: " + jsonExcerpt(value) + " Expecting 'dataframe_split' to be an object");
    ondemand::object object;
    checkJson(value.get_object().get(object));
    shapes.resize(columns.size());
    std::vector<size_t> order;
    bool hasColumns = false, hasData = false, isRead = false;
    forEachMember(object, [&](std::string_view key, ondemand::value list) {
      if (isFirst(key, "columns", hasColumns)) {
        order = readNamesOfColumns(list);
      } else if (isFirst(key, "data", hasData) && hasColumns) {
        readSplitRows(list, order);
        isRead = true;
      }
    });
    if (!hasColumns || !hasData)
      throw invalid(std::string("Expecting 'dataframe_split' to have a list '") + (hasColumns ? "data'" : "columns'"));
    if (isRead)
      return;
    // The rows stand before the names of their columns.
    bool hasRows = false;
    checkJson(object.reset().error());
    forEachMember(object, [&](std::string_view key, ondemand::value list) {
      if (isFirst(key, "data", hasRows))
        readSplitRows(list, order);
    });
  }

  /// The columns' places among the inputs.
  std::vector<size_t> readNamesOfColumns(ondemand::value value) const {
    if (firstByte(value) != '[')
      throw invalid("Expecting 'dataframe_split' to have a list 'columns'");
    ondemand::array list;
    checkJson(value.get_array().get(list));
    std::vector<size_t> order;
    forEachElement(list, [&](ondemand::value element) {
      std::string_view name;
      if (firstByte(element) != '"')
        throw invalid("JSON Value: " + jsonExcerpt(element) + " Expecting names in 'columns'");
      checkJson(element.get_string().get(name));
      size_t column = find(name, order.size());
      if (column == columns.size() || std::find(order.begin(), order.end(), column) != order.end())
        throw invalid("Unexpected column: " + std::string(name.substr(0, 256)) + "; columns must be: " + names());
      order.push_back(column);
    });
    if (order.size() != columns.size())
      throw invalid("Expecting " + std::to_string(columns.size()) + " columns but got " + std::to_string(order.size()) +
                    "; columns must be: " + names());
    return order;
  }

  void readSplitRows(ondemand::value value, const std::vector<size_t> &order) {
    if (firstByte(value) != '[')
      throw invalid("Expecting 'dataframe_split' to have a list 'data'");
    ondemand::array rows;
    checkJson(value.get_array().get(rows));
    int64_t count = 0;
    forEachElement(rows, [&](ondemand::value row) {
      if (firstByte(row) != '[')
        throw invalid("JSON Value: " + jsonExcerpt(row) + " Expecting lists in 'data'");
      ondemand::array list;
      checkJson(row.get_array().get(list));
      size_t place = 0;
      forEachElement(list, [&](ondemand::value item) {
        if (place < order.size())
          readItem(item, order[place], count, columns[order[place]]->info.name);
        ++place;
      });
      if (place != order.size())
        throw invalid("Expecting " + std::to_string(order.size()) + " values but got " + std::to_string(place) +
                      " in row " + std::to_string(count) + " of 'data'");
      ++count;
    });
    addAxisOfRows(count);
  }

  /// An element of "instances" that has a value for each input.
  void readNamed(ondemand::value element, int64_t index) {
    ondemand::object object;
    checkJson(element.get_object().get(object));
    seen.assign(columns.size(), false);
    size_t members = 0, found = 0;
    forEachMember(object, [&](std::string_view key, ondemand::value value) {
      size_t column = find(key, members++);
      if (column == columns.size())
        throw unknownName(element, index, std::string(key.substr(0, 256)));
      if (seen[column])
        return; // of names that are there twice, the first counts
      seen[column] = true;
      ++found;
      readItem(value, column, index, columns[column]->info.name);
    });
    if (found != columns.size())
      throw invalid("Failed to process element: " + std::to_string(index) + " of 'instances' list. JSON object: " +
                    jsonExcerpt(element) + " keys must be equal to: " + names());
  }

  Error unknownName(ondemand::value element, int64_t index, const std::string &name) const {
    if (name == "b64" && columns.size() == 1) // the value of a string, which no model has
      return inElement(index, "", wrongType(element, columns[0]->info.dtype));
    return inElement(
        index, " key: " + name,
        invalid("JSON object: does not have named input: " + name + "; keys must be equal to: " + names()));
  }

  /// A value for an input; all of them have to have one shape.
  void readItem(ondemand::value value, size_t column, int64_t index, const std::string &key) {
    Column &into = *columns[column];
    size_t before = into.count();
    try {
      into.read(value);
      std::optional<std::vector<int64_t>> &shape = shapes[column];
      if (!shape) {
        shape = into.sizes;
      } else if (*shape != into.sizes) {
        size_t size = into.count() - before, expected = before / index;
        throw size != expected
            ? invalid("Expecting tensor size: " + std::to_string(expected) + " but got: " + std::to_string(size))
            : invalid("Expecting shape " + sizesText(*shape) + " but got: " + sizesText(into.sizes));
      }
    } catch (const Error &error) {
      throw inElement(index, key.empty() ? "" : " key: " + key, error);
    }
  }

  static Error inElement(int64_t index, const std::string &key, const Error &error) {
    return Error(error.code, "Failed to process element: " + std::to_string(index) + key +
                                 " of 'instances' list. Error: " + codeName(error.code) + ": " + error.what());
  }

  void readColumns(ondemand::value value) {
    shapes.resize(columns.size());
    if (firstByte(value) != '{') {
      if (columns.size() != 1)
        throw invalid("inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                      "tensorinfo_map");
      columns[0]->read(value);
      shapes[0] = columns[0]->sizes;
      return;
    }
    ondemand::object object;
    checkJson(value.get_object().get(object));
    size_t members = 0;
    forEachMember(object, [&](std::string_view key, ondemand::value item) {
      size_t column = find(key, members++);
      if (column == columns.size() || shapes[column])
        return; // other names are nobody's business
      columns[column]->read(item);
      shapes[column] = columns[column]->sizes;
    });
    for (size_t i = 0; i < columns.size(); ++i)
      if (!shapes[i])
        throw invalid("Missing named input: " + columns[i]->info.name + " in 'inputs' object.");
  }

  void readExplanationKey(std::string_view key, ondemand::value value) {
    ExplanationRequest &explanation = body.explanation;
    auto readInteger = [](ondemand::value number) {
      int64_t integer = 0;
      if (number.get_int64().get(integer))
        throw wrongType(number, MLC_I64);
      return integer;
    };
    auto readName = [&] {
      std::string_view name;
      if (firstByte(value) != '"')
        throw invalid("JSON Value: " + jsonExcerpt(value) + " Type: " + jsonTypeName(value) +
                      " is not of expected type: string");
      checkJson(value.get_string().get(name));
      return std::string(name);
    };
    if (key == "method") {
      explanation.method = parseExplanationMethod(readName());
    } else if (key == "output") {
      explanation.output = readName();
    } else if (key == "steps") {
      explanation.steps = static_cast<int>(std::clamp<int64_t>(readInteger(value), INT_MIN, INT_MAX));
    } else if (key == "targets" && firstByte(value) == '[') {
      ondemand::array list;
      checkJson(value.get_array().get(list));
      forEachElement(list, [&](ondemand::value target) { explanation.targets.push_back(readInteger(target)); });
    } else if (key == "targets") {
      explanation.targets = {readInteger(value)};
    } else if (key == "baselines") {
      readBaselines(value);
    }
  }

  /// {name: tensor}
  void readBaselines(ondemand::value value) {
    if (firstByte(value) != '{')
      throw invalid("JSON Value: " + jsonExcerpt(value) + " Expecting 'baselines' to be an object");
    ondemand::object object;
    checkJson(value.get_object().get(object));
    forEachMember(object, [&](std::string_view name, ondemand::value item) {
      size_t column = find(name, 0);
      if (column == columns.size())
        throw invalid("JSON object: does not have named input: " + std::string(name.substr(0, 256)));
      std::unique_ptr<Column> baseline = makeColumn(columns[column]->info);
      baseline->read(item);
      body.explanation.baselines.push_back(baseline->take(baseline->sizes, body.storage));
    });
  }

  /// The column of a name, which is likely to be that of its place; columns.size() where there is none.
  size_t find(std::string_view name, size_t place) const {
    if (place < columns.size() && columns[place]->info.name == name)
      return place;
    auto it = std::find_if(columns.begin(), columns.end(), [&](auto &column) { return column->info.name == name; });
    return it - columns.begin();
  }

  std::string names() const {
    std::vector<std::string> sorted;
    for (const std::unique_ptr<Column> &column : columns)
      sorted.push_back(column->info.name);
    std::sort(sorted.begin(), sorted.end());
    std::string text;
    for (const std::string &name : sorted)
      text += (text.empty() ? "" : ",") + name;
    return text;
  }

  std::vector<std::unique_ptr<Column>> columns;
  std::vector<std::optional<std::vector<int64_t>>> shapes; // of a tensor of each column, when it has one
  std::vector<bool> seen;                                  // columns that an element has had
  PredictBody body;
};

/// Writes what is in an output from an axis on, as lists; `view` is at its first value, and goes on.
void appendNested(std::string &text, Tensor &view, size_t axis) {
  size_t rank = view.sizes.size(), bytes = elementSize(view.dtype);
  size_t count = axis < rank ? view.sizes[axis] : 1;
  if (axis < rank)
    text += '[';
  if (axis + 1 >= rank) {
    appendJsonValues(text, view, count);
    view.data = static_cast<const std::byte *>(view.data) + count * bytes;
  } else {
    for (size_t i = 0; i < count; ++i) {
      if (i)
        text += ',';
      appendNested(text, view, axis + 1);
    }
  }
  if (axis < rank)
    text += ']';
}

void appendKey(std::string &text, const std::string &name) {
  appendJsonString(text, name);
  text += ": ";
}

std::string writeRows(std::span<const Tensor> outputs, const char *key) {
  int64_t rows = -1;
  for (const Tensor &output : outputs) {
    if (output.sizes.empty())
      throw invalid("Tensor name: " + output.name + " has no shape information");
    if (rows >= 0 && output.sizes[0] != rows)
      throw invalid("Tensor name: " + output.name + " has inconsistent batch size: " + std::to_string(output.sizes[0]) +
                    " expecting: " + std::to_string(rows));
    rows = output.sizes[0];
  }
  std::string text = std::string("{\"") + key + "\": [";
  std::vector<Tensor> views(outputs.begin(), outputs.end());
  if (views.size() == 1 && views[0].sizes.size() == 1) { // a value a row
    appendJsonValues(text, views[0], rows);
    return text + "]}";
  }
  for (int64_t row = 0; row < rows; ++row) {
    text += row ? ", " : "";
    if (views.size() > 1)
      text += '{';
    for (size_t i = 0; i < views.size(); ++i) {
      if (views.size() > 1) {
        text += i ? ", " : "";
        appendKey(text, views[i].name);
      }
      appendNested(text, views[i], 1);
    }
    if (views.size() > 1)
      text += '}';
  }
  return text + "]}";
}

} // namespace

PredictBody readPredictBody(const std::string &text, const Signature &signature, PredictForm form) {
  PredictBody body;
  readJsonObject(text, [&](ondemand::object object) { body = BodyReader(signature).read(object, form); });
  return body;
}

std::string writePredictions(std::span<const Tensor> outputs, bool rows, PredictForm form) {
  const char *key = form == PredictForm::explain          ? "explanations"
                    : rows || form == PredictForm::mlflow ? "predictions"
                                                          : "outputs";
  size_t bytes = 0;
  for (const Tensor &output : outputs)
    bytes += output.bytes;
  if (bytes >= longText)
    EventThreads::handOn();
  if (rows)
    return writeRows(outputs, key);
  std::string text = std::string("{\"") + key + "\": ";
  if (outputs.size() != 1)
    text += '{';
  for (size_t i = 0; i < outputs.size(); ++i) {
    text += i ? ", " : "";
    if (outputs.size() != 1)
      appendKey(text, outputs[i].name);
    Tensor view = outputs[i];
    appendNested(text, view, 0);
  }
  if (outputs.size() != 1)
    text += '}';
  return text + '}';
}

} // namespace mlc::serve
