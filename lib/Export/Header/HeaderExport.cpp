//===- HeaderExport.cpp - the files that stand beside a compiled library -----------------------------------------===//
#include "lib/Export/Header/HeaderExport.h"
#include "lib/Support/Dtype.h"

#include "lib/Export/Header/RuntimeHeader.inc"

#include <cctype>
#include <set>
#include <sstream>

namespace mlc {

namespace {

const char *elementName(mlc_dtype dtype) {
  switch (dtype) {
  case MLC_F32:
    return "float";
  case MLC_F64:
    return "double";
  case MLC_I8:
    return "int8_t";
  case MLC_I16:
    return "int16_t";
  case MLC_I32:
    return "int32_t";
  case MLC_I64:
    return "int64_t";
  case MLC_U8:
  case MLC_BOOL:
    return "uint8_t";
  case MLC_U16:
  case MLC_F16:
  case MLC_BF16:
    return "uint16_t";
  case MLC_U32:
    return "uint32_t";
  case MLC_U64:
    return "uint64_t";
  }
  return "void";
}

bool hasFixedSizes(const TensorSignature &tensor) {
  for (size_t i = 0; i < tensor.sizes.size(); ++i)
    if (tensor.sizes[i] == MLC_DYNAMIC_SIZE && tensor.symbols[i] < 0)
      return false;
  return true;
}

std::string describe(const ModelSignature &signature, const TensorSignature &tensor) {
  std::string text = std::string(dtypeName(tensor.dtype)) + "[";
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    text += i ? ", " : "";
    text += tensor.sizes[i] != MLC_DYNAMIC_SIZE ? std::to_string(tensor.sizes[i])
            : tensor.symbols[i] >= 0            ? signature.symbols[tensor.symbols[i]]
                                                : "?";
  }
  return text + "]";
}

/// Text that may stand inside of a C comment.
std::string comment(std::string text) {
  for (size_t at; (at = text.find("*/")) != std::string::npos;)
    text.replace(at, 2, "* /");
  for (char &c : text)
    if (c == '\n' || c == '\r')
      c = ' ';
  return text;
}

/// Identifiers that differ from all before.
class Names final {
public:
  std::string unique(const std::string &name) {
    std::string base = toIdentifier(name), result = base;
    for (int i = 2; !used.insert(result).second; ++i)
      result = base + "_" + std::to_string(i);
    return result;
  }

private:
  std::set<std::string> used{"model", "options"};
};

/// What the outside calls of a model, or of its gradients.
void declare(std::ostream &out, const ModelSignature &signature, const std::string &what) {
  const std::string &name = signature.name;
  out << "/** A context of " << what << ": one call at a time; make more for more threads. */\ntypedef mlc_model "
      << name << ";\n\n";
  out << "/** Makes a context; `options` may be NULL. */\n";
  out << "mlc_status " << name << "_create(const mlc_options *options, " << name << " **model);\n\n";
  out << "/** Frees a context; NULL is ignored. */\nvoid " << name << "_destroy(" << name << " *model);\n\n";
  out << "/** The generic way to use " << what << ". */\nconst mlc_api *" << name << "_api(void);\n\n";
  Names names;
  std::ostringstream arguments;
  out << "/** Runs " << what << ".\n";
  for (const TensorSignature &input : signature.inputs) {
    std::string identifier = names.unique(input.name);
    out << " *  @param " << identifier << " in: " << comment(describe(signature, input)) << ", `" << comment(input.name)
        << "` of the source\n";
    arguments << ", const " << elementName(input.dtype) << " *" << identifier;
  }
  for (const std::string &symbol : signature.symbols) {
    std::string identifier = names.unique(symbol);
    out << " *  @param " << identifier << " the size `" << comment(symbol) << "`\n";
    arguments << ", int64_t " << identifier;
  }
  for (const TensorSignature &output : signature.outputs) {
    std::string identifier = names.unique(output.name);
    bool fixed = hasFixedSizes(output);
    out << " *  @param " << identifier << " out: " << comment(describe(signature, output)) << ", `"
        << comment(output.name) << "` of the source";
    if (!fixed)
      out << "; its sizes are computed: zero-initialise the tensor, and it is filled with a buffer of the model's that "
             "is valid until the "
             "next run or destroy";
    out << "\n";
    arguments << ", " << (fixed ? elementName(output.dtype) : "mlc_tensor") << " *" << identifier;
  }
  out << " *  Tensors are dense and row-major. Sizes that do not fit give MLC_INVALID_ARGUMENT and a message. */\n";
  out << "mlc_status " << name << "_run(" << name << " *model" << arguments.str() << ");\n\n";
}

} // namespace

std::string toIdentifier(const std::string &name) {
  static const std::set<std::string> keywords{
      "alignas",   "alignof",  "and",    "asm",      "auto",     "bool",     "break",     "case",
      "catch",     "char",     "class",  "const",    "continue", "default",  "delete",    "do",
      "double",    "else",     "enum",   "explicit", "export",   "extern",   "false",     "float",
      "for",       "friend",   "goto",   "if",       "inline",   "int",      "long",      "mutable",
      "namespace", "new",      "not",    "operator", "or",       "private",  "protected", "public",
      "register",  "restrict", "return", "short",    "signed",   "sizeof",   "static",    "struct",
      "switch",    "template", "this",   "throw",    "true",     "try",      "typedef",   "typename",
      "union",     "unsigned", "using",  "virtual",  "void",     "volatile", "while",     "xor"};
  std::string result;
  for (unsigned char c : name)
    result += std::isalnum(c) && c < 128 ? static_cast<char>(c) : '_';
  if (result.empty() || std::isdigit(static_cast<unsigned char>(result[0])))
    result = "_" + result;
  return keywords.count(result) ? result + "_" : result;
}

std::string exportHeader(const ModelSignature &signature, const ModelSignature *gradient) {
  const std::string &name = signature.name;
  std::ostringstream out;
  out << "/* " << name
      << ": a model compiled by mlc. Link with the library of the same name; no other file is needed. */\n";
  out << "#ifndef MLC_MODEL_" << name << "_H\n#define MLC_MODEL_" << name << "_H\n\n" << runtimeHeader << "\n";
  out << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  declare(out, signature, "the model");
  if (gradient)
    declare(out, *gradient, "the model's gradients by its inputs");
  out << "#ifdef __cplusplus\n}\n#endif\n#endif\n";
  return out.str();
}

std::string exportPkgConfig(const ModelSignature &signature, const std::string &stem, const std::string &lib) {
  return "# Link a program with the compiled model " + signature.name +
         ".\n"
         "libdir=${pcfiledir}\n\n"
         "Name: " +
         stem +
         "\n"
         "Description: the model " +
         signature.name +
         ", compiled by mlc\n"
         "Version: 1\n"
         "Cflags: -I${libdir}\n"
         "Libs: ${libdir}/" +
         lib + " -Wl,-rpath,${libdir} -lm -lpthread\n";
}

std::string exportCMakeConfig(const ModelSignature &signature, const std::string &stem, const std::string &lib,
                              bool shared) {
  std::string target = stem + "::" + stem;
  return "# The compiled model " + signature.name +
         " as an imported target.\n"
         "if(NOT TARGET " +
         target +
         ")\n"
         "  add_library(" +
         target + (shared ? " SHARED" : " STATIC") +
         " IMPORTED)\n"
         "  set_target_properties(" +
         target +
         " PROPERTIES\n"
         "    IMPORTED_LOCATION \"${CMAKE_CURRENT_LIST_DIR}/" +
         lib +
         "\"\n"
         "    INTERFACE_INCLUDE_DIRECTORIES \"${CMAKE_CURRENT_LIST_DIR}\"\n"
         "    INTERFACE_LINK_LIBRARIES \"m;pthread\")\n"
         "endif()\n";
}

} // namespace mlc
