//===- MessageJson.cpp - a protobuf message as JSON with numbers --------------------------------------------------===//
#include "runtime/serve/rest/MessageJson.h"

#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

namespace mlc::serve {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using nlohmann::json;

namespace {

/// A field's value, or the element `index` of a list.
json valueJson(const Message &message, const FieldDescriptor &field, int index = -1) {
  const google::protobuf::Reflection &reflection = *message.GetReflection();
  auto get = [&](auto single, auto repeated) {
    return index < 0 ? (reflection.*single)(message, &field) : (reflection.*repeated)(message, &field, index);
  };
  using R = google::protobuf::Reflection;
  switch (field.cpp_type()) {
  case FieldDescriptor::CPPTYPE_INT32:
    return get(&R::GetInt32, &R::GetRepeatedInt32);
  case FieldDescriptor::CPPTYPE_INT64:
    return get(&R::GetInt64, &R::GetRepeatedInt64);
  case FieldDescriptor::CPPTYPE_UINT32:
    return get(&R::GetUInt32, &R::GetRepeatedUInt32);
  case FieldDescriptor::CPPTYPE_UINT64:
    return get(&R::GetUInt64, &R::GetRepeatedUInt64);
  case FieldDescriptor::CPPTYPE_DOUBLE:
    return get(&R::GetDouble, &R::GetRepeatedDouble);
  case FieldDescriptor::CPPTYPE_FLOAT:
    return get(&R::GetFloat, &R::GetRepeatedFloat);
  case FieldDescriptor::CPPTYPE_BOOL:
    return get(&R::GetBool, &R::GetRepeatedBool);
  case FieldDescriptor::CPPTYPE_ENUM:
    return get(&R::GetEnum, &R::GetRepeatedEnum)->name();
  case FieldDescriptor::CPPTYPE_STRING:
    return get(&R::GetString, &R::GetRepeatedString);
  case FieldDescriptor::CPPTYPE_MESSAGE:
    return toJson(index < 0 ? reflection.GetMessage(message, &field)
                            : reflection.GetRepeatedMessage(message, &field, index));
  }
  return nullptr;
}

json mapJson(const Message &message, const FieldDescriptor &field) {
  const FieldDescriptor &key = *field.message_type()->map_key(), &value = *field.message_type()->map_value();
  json object = json::object();
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    const Message &entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
    json name = valueJson(entry, key);
    object[name.is_string() ? name.get<std::string>() : name.dump()] = valueJson(entry, value);
  }
  return object;
}

} // namespace

json toJson(const Message &message) {
  json object = json::object();
  const google::protobuf::Reflection &reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor &field = *message.GetDescriptor()->field(i);
    json &value = object[field.name()];
    if (field.is_map()) {
      value = mapJson(message, field);
    } else if (field.is_repeated()) {
      value = json::array();
      for (int element = 0; element < reflection.FieldSize(message, &field); ++element)
        value.push_back(valueJson(message, field, element));
    } else if (reflection.HasField(message, &field) || !field.has_presence()) {
      value = valueJson(message, field);
    } else {
      object.erase(field.name());
    }
  }
  return object;
}

} // namespace mlc::serve
