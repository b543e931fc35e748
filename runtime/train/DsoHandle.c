/* What crtbegin.o has for destructors of static objects, so that an executable links without a compiler's files. */
__attribute__((visibility("hidden"))) void *__dso_handle = 0;
