/* Texts: NUL-terminated in any buffer, cut between characters, never a byte beyond the size. The spool's name has letters
   of one to four bytes. */
#include "host.h"

enum { GUARD = 8, ROOM = 70000 };

static int is_inside_a_character(char byte) {
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* What `size` bytes of room make of a text that is wholly known. */
static void fits_or_is_cut(rheed_stream stream, int32_t which, const char *whole, int32_t size) {
    static unsigned char buffer[ROOM + GUARD];
    const int32_t wanted = (int32_t)strlen(whole) + 1;
    int32_t needed = -1;
    memset(buffer, 0xAA, sizeof buffer);
    const int32_t code = rheed_text(stream, which, (char *)buffer, size, &needed);
    CHECK(needed == wanted);
    for (int32_t at = size; at < size + GUARD; at++) CHECK(buffer[at] == 0xAA);
    if (size == 0) {
        CHECK(!RHEED_FAILED(code));
        return;
    }
    CHECK(memchr(buffer, '\0', (size_t)size) != NULL);
    const size_t got = strlen((const char *)buffer);
    CHECK(strncmp((const char *)buffer, whole, got) == 0);
    CHECK(!is_inside_a_character(whole[got]));
    if (size >= wanted) {
        CHECK_CODE(code, RHEED_OK);
        CHECK(got == strlen(whole));
    } else {
        CHECK_CODE(code, RHEED_W_TRUNCATED);
        CHECK(got + 4 >= (size_t)size); /* No more is cut off than the character that does not fit. */
    }
}

int main(int argc, char **argv) {
    static char whole[ROOM];
    int32_t needed = 0;
    rheed_stream stream = open_stream(argc, argv, "");

    CHECK_CODE(rheed_text(stream, RHEED_TEXT_SPOOL_DIR, whole, sizeof whole, NULL), RHEED_OK);
    CHECK(strstr(whole, "sp\xC3\xBCl-\xE5\xA4\x96\xE5\xBB\xB6-\xF0\x9F\x94\xAC") != NULL);
    for (int32_t size = 0; size <= (int32_t)strlen(whole) + 3; size++) {
        fits_or_is_cut(stream, RHEED_TEXT_SPOOL_DIR, whole, size);
    }
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LOCAL_ID, whole, sizeof whole, NULL), RHEED_OK);
    CHECK(whole[0] != '\0');
    for (int32_t size = 0; size <= (int32_t)strlen(whole) + 3; size++) {
        fits_or_is_cut(stream, RHEED_TEXT_LOCAL_ID, whole, size);
    }

    /* All but the report fit 1,024 bytes; the report fits 64 KiB and is JSON. */
    for (int32_t which = RHEED_TEXT_DATA_ID; which <= RHEED_TEXT_LOG_FILE; which++) {
        CHECK(!RHEED_FAILED(rheed_text(stream, which, NULL, 0, &needed)));
        CHECK(needed >= 1 && needed <= (which == RHEED_TEXT_REPORT ? 65536 : 1024));
    }
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_REPORT, whole, sizeof whole, NULL), RHEED_OK);
    CHECK(whole[0] == '{' && whole[strlen(whole) - 1] == '}');

    /* Without a service there is no data id. */
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_DATA_ID, whole, sizeof whole, NULL), RHEED_W_PENDING);
    CHECK(whole[0] == '\0');

    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LAST_ERROR, whole, sizeof whole, NULL), RHEED_OK);
    CHECK(whole[0] == '\0');
    CHECK_CODE(rheed_push(stream, whole, 3, WIDTH, HEIGHT, 0, 0, 0, 0, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LAST_ERROR, whole, sizeof whole, NULL), RHEED_OK);
    CHECK(strstr(whole, "size_bytes") != NULL);

    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}
