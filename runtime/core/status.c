/* Statuses: a code and a message that lives in the thread. */
#include "runtime/core/context.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char message[512];

mlc_status mlc_status_ok(void) {
  mlc_status status = {MLC_OK, ""};
  return status;
}

mlc_status mlc_status_make(int32_t code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  mlc_status status = {code, message};
  return status;
}
