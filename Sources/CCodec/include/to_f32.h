#pragma once
#include <stddef.h>
#include <stdint.h>

// Converts `count` stored elements of the type with raw value `type` (WeightType) to f32.
// `count` is a multiple of the type's block elements. Returns 0, or -1 for an unknown type.
int cc_to_f32(uint8_t type, const void *source, float *target, size_t count);
