//===- MessageJson.h - a protobuf message as JSON with numbers ---------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_REST_MESSAGEJSON_H
#define MLC_RUNTIME_SERVE_REST_MESSAGEJSON_H

#include <nlohmann/json_fwd.hpp>

namespace google::protobuf {
class Message;
}

namespace mlc::serve {

/// A message as Triton prints it: names as in the .proto file, integers of 64 bits as numbers (protobuf's own JSON has
/// them as strings), enumerations by name. Lists, maps and single values are there also where they are empty; messages
/// and members of a oneof where they are set. Not for bytes.
nlohmann::json toJson(const google::protobuf::Message &message);

} // namespace mlc::serve

#endif
