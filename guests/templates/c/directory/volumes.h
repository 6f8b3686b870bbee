/* Names, ids and modes of volumes. A volume is a directory of the pool, whose name is the volume's id.
 *
 * Pure: nothing here calls the host, so that it is tested natively. Texts have a length and no NUL at their end. */
#ifndef VOLUMES_H
#define VOLUMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In bytes; a volume's id may have no more. */
#define LONGEST_ID 128

/* Whether it can be an id: it may be what a person wrote. */
bool is_id(const uint8_t *text, size_t length);

/* Writes the id of the volume for a claim's name, and returns its length; 0 where there is no name. Letters, digits,
 * dots and dashes stay as they are, all others become their bytes. What is too long then is cut, and ends with `_.`,
 * which else none has, and the SHA-256 of the name. So no two names get one id. */
size_t id_for(const uint8_t *name, size_t length, uint8_t id[LONGEST_ID]);

/* Reads permission bits as a class says them: up to four octal digits. */
bool read_mode(const uint8_t *text, size_t length, uint32_t *mode);

#endif
