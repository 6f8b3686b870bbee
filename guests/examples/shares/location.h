/* Where a volume lies on its server, and how options are taken apart. Pure, so that it is tested natively. */
#ifndef LOCATION_H
#define LOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether it is names with a slash between them, none of them empty, `.` or `..`: it cannot lead out of the share. */
bool is_beneath(const uint8_t *path, size_t length);

/* How much of a share's path counts: without slashes at its end. 0 where it does not begin with one. */
size_t share_length(const uint8_t *path, size_t length);

/* Where the value of `name=value` begins; the length where there is none. */
size_t value_at(const uint8_t *option, size_t length);

#endif
