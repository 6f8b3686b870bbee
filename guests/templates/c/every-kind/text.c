#include "text.h"

#include <stdlib.h>
#include <string.h>

void *allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL)
        abort();
    return memory;
}

text join_texts(const text *parts, size_t count) {
    size_t length = 0;
    for (size_t at = 0; at < count; at++)
        length += parts[at].len;
    text whole = {length == 0 ? NULL : allocate(length), 0};
    for (size_t at = 0; at < count; at++) {
        if (parts[at].len > 0)
            memcpy(whole.ptr + whole.len, parts[at].ptr, parts[at].len);
        whole.len += parts[at].len;
    }
    return whole;
}

bool fail(error *err, uint8_t condition, text sentence) {
    /* Every case has a sentence and nothing else, so that it does not matter by which one it is written. */
    *err = (error){.tag = condition, .val.internal = sentence};
    return false;
}

bool equal(text one, text other) {
    return one.len == other.len && (one.len == 0 || memcmp(one.ptr, other.ptr, one.len) == 0);
}

text parameter(const drivebay_driver_types_parameters_t *parameters, text name, text otherwise) {
    for (size_t at = 0; at < parameters->len; at++)
        if (equal(parameters->ptr[at].f0, name))
            return parameters->ptr[at].f1;
    return otherwise;
}

void tell(text line) { drivebay_driver_log_write(DRIVEBAY_DRIVER_LOG_LEVEL_INFO, &line); }
