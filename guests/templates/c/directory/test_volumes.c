/* Natively: what volumes.c promises. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "volumes.h"

static bool good(const char *id) { return is_id((const uint8_t *)id, strlen(id)); }

/* The id of a name as text. */
static const char *id_of(const char *name) {
    static uint8_t id[LONGEST_ID + 1];
    id[id_for((const uint8_t *)name, strlen(name), id)] = 0;
    return (const char *)id;
}

static void every_name_gets_an_id_of_its_own(void) {
    assert(strcmp(id_of("pvc-1.a"), "pvc-1.a") == 0);
    assert(strcmp(id_of(".."), "_2e.") == 0);
    assert(strcmp(id_of("a/b"), "a_2fb") == 0);
    assert(strcmp(id_of("a_2fb"), "a_5f2fb") == 0);
    assert(strcmp(id_of("\xc3\xbc"), "_c3_bc") == 0);
    char longest[LONGEST_ID + 2];
    memset(longest, 'n', sizeof longest);
    longest[LONGEST_ID] = 0;
    assert(strcmp(id_of(longest), longest) == 0 && good(id_of(longest)));
    longest[0] = '/';
    char other[LONGEST_ID + 1];
    strcpy(other, id_of(longest));
    assert(strlen(other) == LONGEST_ID && good(other));
    assert(strncmp(other, "_2fnn", 5) == 0 && strstr(other, "n_.") != NULL);
    longest[LONGEST_ID - 1] = 'm';
    assert(strcmp(id_of(longest), other) != 0);
    assert(strcmp(id_of(""), "") == 0);
}

static void an_id_that_a_person_wrote_leads_nowhere_else(void) {
    const char *bad[] = {"", ".", "..", "../etc", "music/a", "/music", "a b"};
    for (size_t at = 0; at < sizeof bad / sizeof *bad; at++)
        assert(!good(bad[at]));
    assert(good("music") && good("_2e.") && good("a.b-C"));
}

static void a_mode_is_octal(void) {
    uint32_t mode = 0;
    assert(read_mode((const uint8_t *)"2770", 4, &mode) && mode == 02770);
    const char *bad[] = {"", "rwx", "888", "17777", "-1"};
    for (size_t at = 0; at < sizeof bad / sizeof *bad; at++)
        assert(!read_mode((const uint8_t *)bad[at], strlen(bad[at]), &mode));
}

int main(void) {
    every_name_gets_an_id_of_its_own();
    an_id_that_a_person_wrote_leads_nowhere_else();
    a_mode_is_octal();
    puts("3 tests passed");
}
