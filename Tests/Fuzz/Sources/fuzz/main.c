// What libFuzzer calls; its main function comes from the sanitizer's library.
#include <stddef.h>
#include <stdint.h>

int imprint_fuzz_one_input(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return imprint_fuzz_one_input(data, size);
}
