#include "volumes.h"

#include "sha256.h"

static bool is_letter(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '-';
}

bool is_id(const uint8_t *text, size_t length) {
    if (length == 0 || length > LONGEST_ID || text[0] == '.')
        return false;
    for (size_t at = 0; at < length; at++)
        if (!is_letter(text[at]) && text[at] != '.' && text[at] != '_')
            return false;
    return true;
}

static const char digits[] = "0123456789abcdef";

/* Writes what has room, and returns how much it would be. */
static size_t spell(const uint8_t *name, size_t length, uint8_t id[LONGEST_ID]) {
    size_t written = 0;
    for (size_t at = 0; at < length; at++) {
        bool stays = is_letter(name[at]) || (name[at] == '.' && at > 0);
        uint8_t spelt[3] = {stays ? name[at] : '_', (uint8_t)digits[name[at] >> 4], (uint8_t)digits[name[at] & 15]};
        for (size_t part = 0; part < (stays ? 1 : 3); part++, written++)
            if (written < LONGEST_ID)
                id[written] = spelt[part];
    }
    return written;
}

size_t id_for(const uint8_t *name, size_t length, uint8_t id[LONGEST_ID]) {
    size_t written = spell(name, length, id);
    if (written <= LONGEST_ID)
        return written;
    uint8_t digest[32], *end = id + LONGEST_ID - 2 * sizeof digest;
    sha256(name, length, digest);
    end[-2] = '_';
    end[-1] = '.';
    for (size_t at = 0; at < sizeof digest; at++) {
        end[2 * at] = (uint8_t)digits[digest[at] >> 4];
        end[2 * at + 1] = (uint8_t)digits[digest[at] & 15];
    }
    return LONGEST_ID;
}

bool read_mode(const uint8_t *text, size_t length, uint32_t *mode) {
    if (length == 0 || length > 4)
        return false;
    *mode = 0;
    for (size_t at = 0; at < length; at++) {
        if (text[at] < '0' || text[at] > '7')
            return false;
        *mode = *mode * 8 + (uint32_t)(text[at] - '0');
    }
    return true;
}
