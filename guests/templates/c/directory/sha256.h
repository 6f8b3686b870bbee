/* SHA-256, as FIPS 180-4 has it. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

void sha256(const uint8_t *message, size_t length, uint8_t digest[32]);

#endif
