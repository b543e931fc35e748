//===- Dtype.h - names and sizes of element types -------------------------------------------------------*- C++ -*-===//
#ifndef MLC_LIB_SUPPORT_DTYPE_H
#define MLC_LIB_SUPPORT_DTYPE_H

#include "mlc/runtime.h"

#include <cstddef>
#include <cstdint>

namespace mlc {

/// "f32", "bool", …; "?" for what is no mlc_dtype.
inline const char *dtypeName(uint32_t dtype) {
  switch (dtype) {
  case MLC_F32:
    return "f32";
  case MLC_F64:
    return "f64";
  case MLC_F16:
    return "f16";
  case MLC_BF16:
    return "bf16";
  case MLC_I8:
    return "i8";
  case MLC_I16:
    return "i16";
  case MLC_I32:
    return "i32";
  case MLC_I64:
    return "i64";
  case MLC_U8:
    return "u8";
  case MLC_U16:
    return "u16";
  case MLC_U32:
    return "u32";
  case MLC_U64:
    return "u64";
  case MLC_BOOL:
    return "bool";
  default:
    return "?";
  }
}

} // namespace mlc

#endif
