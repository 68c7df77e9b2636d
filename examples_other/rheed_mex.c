/*
 * A MEX file through which MATLAB and GNU Octave call the library. stream_frames.m shows its use.
 *
 *     mex rheed_mex.c -I/opt/rheed/include -L/opt/rheed/lib -lrheed_stream                     in MATLAB
 *     mkoctfile --mex rheed_mex.c -I/opt/rheed/include -L/opt/rheed/lib -lrheed_stream         for Octave
 *
 *     stream = rheed_mex('init', options)             an error names what is wrong: identifier rheed:code3 for RHEED_E_OPTION, -3
 *     code   = rheed_mex('push', stream, frame, id)   uint8 or uint16, transposed: MATLAB stores columns first
 *     code   = rheed_mex('finalize', stream, timeout_ms)
 *     line   = rheed_mex('event', stream)             '' when none waits
 *     values = rheed_mex('stats', stream)             values(1 + RHEED_STAT_x)
 *     text   = rheed_mex('text', stream, which)
 *     rheed_mex('region', stream, region, x, y, width, height)
 *     values = rheed_mex('readings', stream, region, position)   a column each: its position, Unix seconds, mean, flags; at most 1000
 *     rheed_mex('free', stream)
 */
#include "mex.h"
#include "rheed_stream.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 1024, STATS = RHEED_STAT_CAMERA_CLOCK_BOUND_NS + 1, CAPACITY = 1000, ROWS = 4 };

/* Leaves the call as an error of MATLAB's. */
static void fail(int32_t code, const char *words) {
    char identifier[32];
    snprintf(identifier, sizeof identifier, "rheed:code%d", (int)-code); /* An identifier has no minus sign. */
    mexErrMsgIdAndTxt(identifier, "%s (code %d)", words[0] != '\0' ? words : rheed_strerror(code), (int)code);
}

static void check(rheed_stream stream, int32_t code) {
    char words[TEXT_SIZE] = "";
    if (!RHEED_FAILED(code)) return;
    rheed_text(stream, RHEED_TEXT_LAST_ERROR, words, sizeof words, NULL);
    fail(code, words);
}

static double number(int count, const mxArray *arguments[], int at) {
    if (at >= count || mxGetNumberOfElements(arguments[at]) != 1 || !mxIsNumeric(arguments[at])) {
        mexErrMsgIdAndTxt("rheed:usage", "argument %d is to be a number", at + 1);
    }
    return mxGetScalar(arguments[at]); /* A handle is below 2^53: a double holds it. */
}

/* UTF-8, as the library wants it. Octave's mxArrayToString gives that; MATLAB's the local code page (untried). */
#ifdef HAVE_OCTAVE
#define text_of mxArrayToString
#else
#define text_of mxArrayToUTF8String
#endif

static mxArray *init(int count, const mxArray *arguments[]) {
    rheed_stream stream = 0;
    char message[TEXT_SIZE];
    char *options = count > 1 && mxIsChar(arguments[1]) ? text_of(arguments[1]) : NULL;
    if (rheed_abi() != RHEED_ABI) mexErrMsgIdAndTxt("rheed:abi", "compiled for another version of the library");
    const int32_t code = rheed_init(options, &stream, message, sizeof message);
    mxFree(options);
    if (RHEED_FAILED(code)) fail(code, message);
    if (message[0] != '\0') mexWarnMsgIdAndTxt("rheed:remark", "%s", message);
    return mxCreateDoubleScalar((double)stream);
}

static int32_t push(rheed_stream stream, int count, const mxArray *arguments[]) {
    const mxArray *const frame = count > 2 ? arguments[2] : NULL;
    if (frame == NULL || !(mxIsUint8(frame) || mxIsUint16(frame)) || mxGetNumberOfDimensions(frame) != 2) {
        mexErrMsgIdAndTxt("rheed:usage", "a frame is a transposed matrix of uint8 or uint16");
    }
    const uint32_t format = mxIsUint8(frame) ? RHEED_FORMAT_MONO8 : RHEED_FORMAT_MONO16;
    const uint64_t id = count > 3 ? (uint64_t)number(count, arguments, 3) : RHEED_NO_FRAME_ID;
    const uint64_t size = (uint64_t)mxGetNumberOfElements(frame) * mxGetElementSize(frame);
    const int32_t code = rheed_push(stream, mxGetData(frame), size, (uint32_t)mxGetM(frame), (uint32_t)mxGetN(frame), 0, format, id, 0, 0);
    /* A frame that finds no room is counted by the library; the camera goes on. */
    if (code != RHEED_E_QUEUE_FULL && code != RHEED_E_DISK_FULL) check(stream, code);
    return code;
}

static mxArray *event(rheed_stream stream) {
    char text[TEXT_SIZE];
    int32_t kind = RHEED_EVENT_NONE;
    check(stream, rheed_next_event(stream, 0, &kind, NULL, NULL, text, sizeof text, NULL));
    return mxCreateString(kind == RHEED_EVENT_NONE ? "" : text);
}

static mxArray *stats(rheed_stream stream) {
    int64_t values[STATS];
    check(stream, rheed_stats(stream, values, STATS, NULL));
    mxArray *const row = mxCreateDoubleMatrix(1, STATS, mxREAL);
    for (int at = 0; at < STATS; at++) mxGetPr(row)[at] = (double)values[at];
    return row;
}

static mxArray *text(rheed_stream stream, int32_t which) {
    char words[TEXT_SIZE];
    check(stream, rheed_text(stream, which, words, sizeof words, NULL));
    return mxCreateString(words);
}

static int32_t set_region(rheed_stream stream, int count, const mxArray *arguments[]) {
    uint32_t place[4];
    for (int at = 0; at < 4; at++) place[at] = (uint32_t)number(count, arguments, 3 + at);
    return rheed_region_set(stream, (int32_t)number(count, arguments, 2), place[0], place[1], place[2], place[3]);
}

static mxArray *readings(rheed_stream stream, int count, const mxArray *arguments[]) {
    int64_t times_ns[CAPACITY];
    uint32_t flags[CAPACITY];
    double means[CAPACITY];
    uint64_t position = (uint64_t)number(count, arguments, 3);
    int32_t read = 0;
    check(stream, rheed_region_read(stream, (int32_t)number(count, arguments, 2), &position, times_ns, NULL, flags, means, NULL, NULL,
                                    CAPACITY, &read, NULL));
    mxArray *const columns = mxCreateDoubleMatrix(ROWS, (size_t)read, mxREAL);
    for (int32_t at = 0; at < read; at++) {
        const double column[ROWS] = {(double)position - read + 1 + at, (double)times_ns[at] * 1e-9, means[at], flags[at]};
        memcpy(mxGetPr(columns) + ROWS * at, column, sizeof column);
    }
    return columns;
}

void mexFunction(int results, mxArray *result[], int count, const mxArray *arguments[]) {
    char what[16] = "";
    mxArray *answer = NULL;
    int32_t code = RHEED_OK;
    (void)results; /* The first is `ans` where none is asked for. */
    if (count < 1 || mxGetString(arguments[0], what, sizeof what) != 0) mexErrMsgIdAndTxt("rheed:usage", "say what is to be done");
    const rheed_stream stream = strcmp(what, "init") == 0 ? 0 : (rheed_stream)number(count, arguments, 1);
    if (strcmp(what, "init") == 0) answer = init(count, arguments);
    else if (strcmp(what, "push") == 0) code = push(stream, count, arguments);
    else if (strcmp(what, "finalize") == 0) check(stream, code = rheed_finalize(stream, (int32_t)number(count, arguments, 2)));
    else if (strcmp(what, "free") == 0) code = rheed_free(stream);
    else if (strcmp(what, "event") == 0) answer = event(stream);
    else if (strcmp(what, "stats") == 0) answer = stats(stream);
    else if (strcmp(what, "text") == 0) answer = text(stream, (int32_t)number(count, arguments, 2));
    else if (strcmp(what, "region") == 0) check(stream, code = set_region(stream, count, arguments));
    else if (strcmp(what, "readings") == 0) answer = readings(stream, count, arguments);
    else mexErrMsgIdAndTxt("rheed:usage", "nothing is called %s", what);
    result[0] = answer != NULL ? answer : mxCreateDoubleScalar(code);
}
