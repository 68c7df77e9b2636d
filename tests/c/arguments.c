/* NULLs, sizes that do not fit, numbers that mean nothing: an error code each, never a crash, and nothing is taken. */
#include "host.h"

static void opening(const char *options) {
    rheed_stream stream = 77;
    char message[256];

    CHECK_CODE(rheed_init(NULL, &stream, message, sizeof message), RHEED_E_ARGUMENT);
    CHECK(stream == 0);
    CHECK(strstr(message, "options") != NULL);
    CHECK_CODE(rheed_init(options, NULL, message, sizeof message), RHEED_E_ARGUMENT);
    CHECK(message[0] != '\0');

    stream = 77;
    CHECK_CODE(rheed_init(options, &stream, NULL, 256), RHEED_E_ARGUMENT);
    CHECK(stream == 0);
    CHECK_CODE(rheed_init(options, &stream, message, -1), RHEED_E_ARGUMENT);
    CHECK(stream == 0);
#ifndef _WIN32 /* There it is read in the ANSI code page. */
    CHECK_CODE(rheed_init("fps = 10\nstream_name = \xff\xfe\n", &stream, message, sizeof message), RHEED_E_ARGUMENT);
    CHECK(stream == 0);
    CHECK(strstr(message, "UTF-8") != NULL);
#endif

    CHECK_CODE(rheed_resume(NULL, &stream, message, sizeof message), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_resume(options, NULL, message, sizeof message), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_resume(options, &stream, NULL, 1), RHEED_E_ARGUMENT);
    CHECK(stream == 0);

    /* Who wants no message gives none. */
    CHECK_CODE(rheed_init(options, &stream, NULL, 0), RHEED_OK);
    CHECK(stream != 0);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

static void pushing(rheed_stream stream) {
    static unsigned char pixels[FRAME_BYTES * 2];
    const uint64_t no_id = RHEED_NO_FRAME_ID;
    char text[1024];
    int32_t rejected = 0;

#define PUSH(data, size, width, height, stride, format, flags) \
    rheed_push(stream, data, size, width, height, stride, format, no_id, 0, flags)
    struct {
        int32_t got, expected;
        int line;
    } pushes[] = {
        {PUSH(NULL, FRAME_BYTES, WIDTH, HEIGHT, 0, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(NULL, 0, 0, 0, 0, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, 0, WIDTH, HEIGHT, 0, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES - 1, WIDTH, HEIGHT, 0, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, UINT64_MAX, WIDTH, HEIGHT, 0, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES, 0, HEIGHT, 0, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES, WIDTH, 0, 0, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES, UINT32_MAX, UINT32_MAX, 0, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES, 1, UINT32_MAX, UINT32_MAX, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES, WIDTH, HEIGHT, WIDTH - 1, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES, WIDTH, HEIGHT, WIDTH + 1, 0, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO16, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES, WIDTH, HEIGHT, 0, 0, 2), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES, WIDTH, HEIGHT, 0, 12345, 0), RHEED_E_FORMAT, __LINE__},
        {PUSH(pixels, sizeof pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_BAYER_RG8, 0), RHEED_E_FORMAT, __LINE__},
        {PUSH(pixels, sizeof pixels, WIDTH, HEIGHT, 0, 0x010C0055, 0), RHEED_E_FORMAT, __LINE__}, /* BayerGB12p */
        {PUSH(pixels, sizeof pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_RGB8, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, sizeof pixels, WIDTH, HEIGHT, WIDTH * 2 - 1, RHEED_FORMAT_YUYV, 0), RHEED_E_ARGUMENT, __LINE__},
        {PUSH(pixels, FRAME_BYTES + FRAME_BYTES / 2 - 1, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO12P, 0), RHEED_E_ARGUMENT, __LINE__},
    };
    for (size_t at = 0; at < sizeof pushes / sizeof pushes[0]; at++, rejected++) {
        if (pushes[at].got != pushes[at].expected) {
            fprintf(stderr, "line %d answers %d, not %d\n", pushes[at].line, (int)pushes[at].got, (int)pushes[at].expected);
            exit(1);
        }
    }
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == 0);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_REJECTED) == rejected);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL), RHEED_OK);
    CHECK(text[0] != '\0');

    /* A last row without its padding is a whole frame, and so is a buffer that is longer than the frame. */
    CHECK_CODE(PUSH(pixels, 40 * (HEIGHT - 1) + WIDTH, WIDTH, HEIGHT, 40, 0, 0), RHEED_OK);
    CHECK_CODE(PUSH(pixels, sizeof pixels, WIDTH, HEIGHT, 0, 0, 0), RHEED_OK);
    CHECK_CODE(PUSH(pixels, sizeof pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO12, RHEED_FRAME_INCOMPLETE), RHEED_OK);
    CHECK_CODE(PUSH(pixels, sizeof pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_UYVY, 0), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == 4);
    CHECK_CODE(rheed_run(stream, NULL, NULL), RHEED_E_ARGUMENT);
}

static void asking(rheed_stream stream) {
    int64_t values[STATS];
    char text[64];
    int32_t needed = 0;

    CHECK_CODE(rheed_stats(stream, NULL, STATS, NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_stats(stream, values, -1, NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_stats(stream, NULL, 0, NULL), RHEED_OK);
    CHECK_CODE(rheed_stats(stream, NULL, 0, &needed), RHEED_OK);
    CHECK(needed >= STATS);

    CHECK_CODE(rheed_text(stream, 0, text, sizeof text, NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_text(stream, 99, text, sizeof text, NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_text(stream, -1, text, sizeof text, NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_STATUS, NULL, 1, NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_STATUS, text, -1, NULL), RHEED_E_ARGUMENT);
    CHECK(!RHEED_FAILED(rheed_text(stream, RHEED_TEXT_STATUS, NULL, 0, &needed)));
    CHECK(needed > 1);

    CHECK_CODE(rheed_next_event(stream, 0, NULL, NULL, NULL, NULL, 1, NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_next_event(stream, 0, NULL, NULL, NULL, text, -1, NULL), RHEED_E_ARGUMENT);
    CHECK(!RHEED_FAILED(rheed_next_event(stream, 0, NULL, NULL, NULL, NULL, 0, NULL)));

    CHECK_CODE(rheed_set_log(NULL, NULL, -1), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_set_log(NULL, NULL, 5), RHEED_E_ARGUMENT);
}

static void static_answers(void) {
    CHECK(rheed_abi() == RHEED_ABI);
    CHECK(strchr(rheed_version(), '.') != NULL);
    for (int32_t code = RHEED_E_INTERNAL; code <= RHEED_W_TRUNCATED; code++) {
        CHECK(rheed_strerror(code) != NULL && rheed_strerror(code)[0] != '\0');
        CHECK(rheed_strerror(code) != rheed_strerror(12345));
    }
    CHECK(rheed_strerror(12345) != NULL && rheed_strerror(INT32_MIN) != NULL);
}

int main(int argc, char **argv) {
    static_answers();
    opening(options_of(argc, argv, ""));
    rheed_stream stream = open_stream(argc, argv, "");
    pushing(stream);
    asking(stream);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}
