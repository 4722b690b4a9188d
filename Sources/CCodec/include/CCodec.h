// The C side of the weight files. Nothing here allocates.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Converts `count` stored elements of the type with raw value `type` (WeightType) to f32.
// `count` is a multiple of the type's block elements. Returns 0, or -1 for an unknown type.
int cc_to_f32(uint8_t type, const void *source, float *target, size_t count);

// CRC-32C (Castagnoli, reflected, initial and final complement) of `bytes`, continuing from
// `previous` (0 to start). Source: RFC 3720, appendix B.4.
uint32_t cc_crc32c(uint32_t previous, const void *bytes, size_t count);

// cc_crc32c without the processor's own instruction.
uint32_t cc_crc32c_portable(uint32_t previous, const void *bytes, size_t count);

// Splits `count` elements of 2 bytes (bf16, f16) or 4 bytes (f32) into the byte that holds the
// exponent, as zigzag distance from the commonest value in 8 bit planes, and the bytes left over.
// planes: 8 * cc_plane_bytes(count); rest: count * (size - 1). Returns the commonest value.
uint8_t cc_split(
  uint8_t type, const void *source, size_t count, uint8_t *planes, uint8_t *rest);

// Vector instructions that joining may use. All give the same bits.
enum { CC_VECTORS_NONE = 0, CC_VECTORS_256 = 1, CC_VECTORS_512 = 2 };

// The best of them that this processor has; a caller may ask for a lesser one.
int cc_best_vectors(void);

// The reverse of cc_split: elements first ..< first + count of `total`, as they were stored.
void cc_join(
  int vectors, uint8_t type, uint8_t mode, const uint8_t *planes, const uint8_t *rest,
  size_t total, size_t first, size_t count, void *target);

// cc_join, converted to f32.
void cc_join_f32(
  int vectors, uint8_t type, uint8_t mode, const uint8_t *planes, const uint8_t *rest,
  size_t total, size_t first, size_t count, float *target);

// Bytes of one bit plane: whole runs of 64 elements.
static inline size_t cc_plane_bytes(size_t count) { return (count + 63) / 64 * 8; }

// Whether each of `count` f32 values is a bf16 with zeros behind it.
int cc_is_bf16(const void *f32, size_t count);

// bf16 of f32 values whose lower half is dropped.
void cc_truncate_bf16(const void *f32, void *bf16, size_t count);

// Flags that several threads set and read: relaxed atomic bytes.
static inline uint8_t cc_flag(const uint8_t *flag) { return __atomic_load_n(flag, __ATOMIC_RELAXED); }
static inline void cc_set_flag(uint8_t *flag) { __atomic_store_n(flag, 1, __ATOMIC_RELAXED); }
