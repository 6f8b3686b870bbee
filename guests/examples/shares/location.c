#include "location.h"

static bool leads_away(const uint8_t *name, size_t length) {
    return length == 0 || (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')));
}

bool is_beneath(const uint8_t *path, size_t length) {
    size_t begin = 0;
    for (size_t at = 0; at <= length; at++) {
        if (at < length && path[at] != '/')
            continue;
        if (leads_away(path + begin, at - begin))
            return false;
        begin = at + 1;
    }
    return true;
}

size_t share_length(const uint8_t *path, size_t length) {
    if (length == 0 || path[0] != '/')
        return 0;
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

size_t value_at(const uint8_t *option, size_t length) {
    for (size_t at = 0; at < length; at++)
        if (option[at] == '=')
            return at + 1;
    return length;
}
