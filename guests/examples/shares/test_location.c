/* Natively: what location.c promises. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "location.h"

static bool beneath(const char *path) { return is_beneath((const uint8_t *)path, strlen(path)); }

static size_t share(const char *path) { return share_length((const uint8_t *)path, strlen(path)); }

static size_t value(const char *option) { return value_at((const uint8_t *)option, strlen(option)); }

static void a_sub_directory_stays_in_its_share(void) {
    const char *good[] = {"music", "music/live", "...", ".hidden", "a..b", "\xc3\xbc"};
    for (size_t at = 0; at < sizeof good / sizeof *good; at++)
        assert(beneath(good[at]));
    const char *bad[] = {"", ".", "..", "/music", "music/", "a//b", "a/../b", "a/.", "../etc"};
    for (size_t at = 0; at < sizeof bad / sizeof *bad; at++)
        assert(!beneath(bad[at]));
}

static void a_share_is_an_absolute_path(void) {
    assert(share("/exports/music") == 14 && share("/exports/music//") == 14);
    assert(share("/") == 1 && share("//") == 1);
    assert(share("") == 0 && share("exports") == 0);
}

static void an_option_may_have_a_value(void) {
    assert(value("vers=4.2") == 5 && value("noatime") == 7 && value("a=") == 2 && value("") == 0);
}

int main(void) {
    a_sub_directory_stays_in_its_share();
    a_share_is_an_absolute_path();
    an_option_may_have_a_value();
    puts("3 tests passed");
}
