/* Natively: the examples of FIPS 180-4, and lengths about the ends of blocks. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sha256.h"

static const char *digest_of(const char *message, size_t length) {
    static char text[65];
    uint8_t digest[32];
    sha256((const uint8_t *)message, length, digest);
    for (size_t at = 0; at < 32; at++)
        sprintf(text + 2 * at, "%02x", digest[at]);
    return text;
}

int main(void) {
    char many[119];
    memset(many, 'a', sizeof many);
    assert(!strcmp(digest_of("", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    assert(!strcmp(digest_of("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert(!strcmp(digest_of(many, 55), "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"));
    assert(!strcmp(digest_of(many, 56), "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"));
    assert(!strcmp(digest_of(many, 119), "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"));
    puts("1 test passed");
}
