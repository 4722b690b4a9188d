#include "to_f32.h"
#include <string.h>

int cc_to_f32(uint8_t type, const void *source, float *target, size_t count) {
  if (type != 0) return -1;
  memcpy(target, source, count * sizeof(float));
  return 0;
}
