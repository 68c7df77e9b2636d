/* Plays DCAM-API to the fragment of its page. */
#include "drive.h"
#include "fragment.h"

enum { BUFFERS = 6 };

static int came, running = 1, stamped;
/* When each of them was taken, in microseconds. */
static uint64_t stamps[FRAMES + 2 + BUFFERS];

/* So many came, or 12 until the loop is overtaken: one and several at once, and once six: the fifth is being written over now, and the sixth soon. */
static int last(void) { return is_played("overtaken") ? 12 : FRAMES + 2; }

DCAMERR dcamwait_start(HDCAMWAIT wait, DCAMWAIT_START *param) {
    static const int until[] = {1, 1, 4, 10};
    static int calls, hiccups;
    (void)wait;
    if (param->size != (int32)sizeof *param || param->eventmask != DCAMWAIT_CAPEVENT_FRAMEREADY) return DCAMERR_TIMEOUT;
    if (calls == 1) return calls++, DCAMERR_TIMEOUT;
    if (calls == 2 && hiccups < 2) return hiccups++ == 0 ? DCAMERR_LOSTFRAME : DCAMERR_MISSINGFRAME_TROUBLE;
    if (is_lost(came + 1)) return DCAMERR_LOSTCAMERA_STAND_IN;
    if (is_played("stopped") && came == 4) return running = 0, DCAMERR_ABORT;
    came = calls < 4 ? until[calls] : came + 2;
    calls++;
    for (; stamped < came; stamps[stamped++] = ticks(1000000)) take();
    running = came < last();
    return DCAMERR_SUCCESS;
}

DCAMERR dcamcap_transferinfo(HDCAM camera, DCAMCAP_TRANSFERINFO *param) {
    (void)camera;
    param->nNewestFrameIndex = (came - 1) % BUFFERS, param->nFrameCount = came;
    return DCAMERR_SUCCESS;
}

/* The frame that lies at that place now. */
DCAMERR dcambuf_lockframe(HDCAM camera, DCAMBUF_FRAME *frame) {
    (void)camera;
    int at = came - 1;
    while (at % BUFFERS != frame->iFrame) at--;
    draw12((uint64_t)at + 1, WIDTH + PADDING);
    if (at == came - BUFFERS) memset(pixels16, 0xEE, 3 * sizeof pixels16[0] * (WIDTH + PADDING)); /* The camera writes here now. */
    if (is_played("overtaken") && came == last() && at == came - 1) came += BUFFERS, running = 0;
    frame->buf = pixels16, frame->rowbytes = 2 * (WIDTH + PADDING);
    frame->width = WIDTH, frame->height = HEIGHT;
    frame->framestamp = at + 1;
    frame->timestamp.sec = (uint32_t)(stamps[at] / 1000000), frame->timestamp.microsec = (int32_t)(stamps[at] % 1000000);
    return DCAMERR_SUCCESS;
}

int main(int argc, char **argv) {
    const rheed_stream stream = open_stream(argc, argv);
    grab(stream, NULL, NULL, BUFFERS, RHEED_FORMAT_MONO16, &running);
    return finish(stream, NONE_TO_GIVE_BACK);
}
