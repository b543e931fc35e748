/* Says what kind of file each argument is, with the model Magika compiled by mlc.
 *
 * A file is shown to the model as its first and its last bytes, without the white space around them; see Magika's own
 * description of its features. The thresholds and labels are in settings.h, which settings.py writes.
 *
 * build: mlc-opt model.onnx -o libmagika.so && cc identify.c $(pkg-config --cflags --libs magika) -o identify
 */
#include "magika.h"
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The white space that Python's bytes.strip() removes. */
static int is_space(unsigned char c) { return c == ' ' || (c >= 9 && c <= 13); }

/* Fills `bytes` from the two ends of a file; returns 0, or -1 with errno. `is_text` is set for valid UTF-8. */
static int read_features(const char *path, int32_t *bytes, long *size, unsigned char **content, long *length) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return -1;
  struct stat properties;
  if (fstat(fileno(file), &properties) != 0 || S_ISDIR(properties.st_mode)) {
    fclose(file);
    errno = EISDIR;
    return -1;
  }
  *size = (long)properties.st_size;
  *length = *size < MAGIKA_BLOCK_SIZE ? *size : MAGIKA_BLOCK_SIZE;
  unsigned char *begin = *content = malloc(2 * MAGIKA_BLOCK_SIZE), *end = begin + MAGIKA_BLOCK_SIZE;
  int failed = fread(begin, 1, (size_t)*length, file) != (size_t)*length ||
               fseek(file, *size - *length, SEEK_SET) != 0 || fread(end, 1, (size_t)*length, file) != (size_t)*length;
  fclose(file);
  if (failed)
    return -1;
  long first = 0, last = *length;
  while (first < *length && is_space(begin[first]))
    ++first;
  while (last > 0 && is_space(end[last - 1]))
    --last;
  for (int i = 0; i < MAGIKA_BEG_SIZE; ++i)
    bytes[i] = first + i < *length ? begin[first + i] : MAGIKA_PADDING_TOKEN;
  for (int i = 0; i < MAGIKA_END_SIZE; ++i)
    bytes[MAGIKA_BEG_SIZE + MAGIKA_END_SIZE - 1 - i] = last - 1 - i >= 0 ? end[last - 1 - i] : MAGIKA_PADDING_TOKEN;
  return 0;
}

/* Whether the bytes are UTF-8. */
static int is_utf8(const unsigned char *text, long length) {
  for (long i = 0; i < length;) {
    unsigned char c = text[i++];
    int more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : -1;
    if (more < 0)
      return 0;
    for (; more > 0; --more)
      if (i >= length || (text[i++] & 0xc0) != 0x80)
        return 0;
  }
  return 1;
}

int main(int argc, char **argv) {
  magika *model;
  mlc_status status = magika_create(NULL, &model);
  int failures = 0;
  for (int i = 1; status.code == MLC_OK && i < argc; ++i) {
    int32_t bytes[MAGIKA_BEG_SIZE + MAGIKA_END_SIZE];
    float scores[MAGIKA_LABELS];
    unsigned char *content = NULL;
    long size, length;
    if (read_features(argv[i], bytes, &size, &content, &length) != 0) {
      printf("%s: %s\n", argv[i], strerror(errno));
      failures = 1;
      free(content);
      continue;
    }
    if (size == 0) {
      printf("%s: empty 1.000\n", argv[i]);
    } else if (size < MAGIKA_MIN_FILE_SIZE_FOR_DL || bytes[MAGIKA_MIN_FILE_SIZE_FOR_DL - 1] == MAGIKA_PADDING_TOKEN) {
      /* too short for the model */
      printf("%s: %s 1.000\n", argv[i], is_utf8(content, length) ? "txt" : "unknown");
    } else {
      status = magika_run(model, bytes, 1, scores);
      int best = 0;
      for (int label = 1; label < MAGIKA_LABELS; ++label)
        if (scores[label] > scores[best])
          best = label;
      const char *name =
          scores[best] >= magika_labels[best].threshold ? magika_labels[best].shown : magika_labels[best].fallback;
      if (status.code == MLC_OK)
        printf("%s: %s %.3f\n", argv[i], name, scores[best]);
    }
    free(content);
  }
  if (status.code != MLC_OK)
    fprintf(stderr, "identify: %s\n", status.message);
  magika_destroy(model);
  return status.code != MLC_OK || failures;
}
