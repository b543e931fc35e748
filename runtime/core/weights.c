/* Weights: inside the library, or in a file beside it that is mapped read-only. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "runtime/core/context.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The weights file in the folder of the library (or program) that holds `info`; to be freed. */
static char *path_beside(const mlc_model_info *info) {
  Dl_info where;
  const char *folder = ".";
  size_t length = 1;
  if (dladdr(info, &where) && where.dli_fname) {
    const char *slash = strrchr(where.dli_fname, '/');
    if (slash) {
      folder = where.dli_fname;
      length = (size_t)(slash - folder);
    }
  }
  size_t total = length + strlen(info->weights_file) + 2;
  char *path = malloc(total);
  if (path)
    snprintf(path, total, "%.*s/%s", (int)length, folder, info->weights_file);
  return path;
}

mlc_status mlc_weights_open(mlc_model *model, const char *path) {
  const mlc_model_info *info = model->info;
  model->weights = info->weights;
  if (!info->weights_file)
    return mlc_status_ok();
  char *found = path ? strdup(path) : path_beside(info);
  if (!found)
    return mlc_status_make(MLC_RESOURCE_EXHAUSTED, "%s: out of memory", info->api->name);
  mlc_status status = mlc_status_ok();
  struct stat properties;
  int file = open(found, O_RDONLY | O_CLOEXEC);
  if (file < 0 || fstat(file, &properties) != 0) {
    status =
        mlc_status_make(MLC_NOT_FOUND, "%s: cannot open the weights '%s': %s", info->api->name, found, strerror(errno));
  } else if ((uint64_t)properties.st_size != info->weights_bytes) {
    status = mlc_status_make(MLC_FAILED_PRECONDITION, "%s: expected %llu bytes in '%s', but got %llu", info->api->name,
                             (unsigned long long)info->weights_bytes, found, (unsigned long long)properties.st_size);
  } else if (info->weights_bytes) {
    void *mapping = mmap(NULL, info->weights_bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapping == MAP_FAILED) {
      status =
          mlc_status_make(MLC_RESOURCE_EXHAUSTED, "%s: cannot map '%s': %s", info->api->name, found, strerror(errno));
    } else {
      model->mapping = mapping;
      model->mapping_bytes = info->weights_bytes;
      model->weights = mapping;
    }
  }
  if (file >= 0)
    close(file);
  free(found);
  return status;
}

void mlc_weights_close(mlc_model *model) {
  if (model->mapping)
    munmap(model->mapping, model->mapping_bytes);
}
