/* Option text in the ANSI code page, as programs without Unicode write it: in Western Europe 0xFC is a u with two dots. What the
   library says is UTF-8. For Windows. The first argument is the folder in which the spool is to lie. */
#include "host.h"

#include <windows.h>

int main(int argc, char **argv) {
    char more[1024], said[1024];
    CHECK(argc > 2);
    if (GetACP() != 1252) {
        printf("the code page is %u\n", GetACP());
        return 0;
    }
    snprintf(more, sizeof more, "spool_dir = %s\\sp\xFCle\nstream_name = Gr\xFCn auf Bl\xE4u\n", argv[1]);
    rheed_stream stream = open_stream(argc - 1, argv + 1, more);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_SPOOL_DIR, said, sizeof said, NULL), RHEED_OK);
    CHECK(strstr(said, "\\sp\xC3\xBCle") != NULL && strstr(said, "\\\\?\\") == NULL);
    for (uint64_t at = 0; at < 20; at++) CHECK_CODE(push_numbered(stream, at), RHEED_OK);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    /* UTF-8 stays UTF-8, and a refusal says in UTF-8 what was wrong. */
    CHECK_CODE(rheed_init("fps = 10\nchunk_size = \xFC\n", &stream, said, sizeof said), RHEED_E_OPTION);
    CHECK(strstr(said, "= \xC3\xBC ") != NULL);
    CHECK_CODE(rheed_init("fps = 10\nchunk_size = \xC3\xBC\n", &stream, said, sizeof said), RHEED_E_OPTION);
    CHECK(strstr(said, "= \xC3\xBC ") != NULL);
    return 0;
}
