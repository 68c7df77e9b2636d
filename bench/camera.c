/*
 * How long rheed_push keeps the thread on which a camera's SDK calls back, beside what the SDK itself does there for each frame:
 * Aravis receives a GigE Vision camera's packets, calls back, and the callback pushes.
 *
 *     camera --camera 127.0.0.1 --width W --height H --rate 100 --seconds 5 [--packet 1400] key=value ...
 *
 * `sdk_ns` is the CPU time of that thread from one callback's end to the next one's beginning, `between_ns` the time. What is
 * missing when the stream is closed is told: of the frames that the SDK received, by the SDK's count, and that the stream has.
 */
#include "bench.h"

#include <arv.h>

typedef struct {
    rheed_stream stream;
    ArvStream *source;
    uint32_t width, height;
    size_t bytes, room, count;
    int64_t *push_ns, *sdk_ns, *between_ns;
    int64_t left_at_ns, left_cpu_ns;
    uint64_t pushed, headless;
} camera;

static void push(camera *of, ArvBuffer *buffer) {
    const ArvBufferStatus status = arv_buffer_get_status(buffer);
    const int64_t time_ns = (int64_t)arv_buffer_get_system_timestamp(buffer);
    of->headless += time_ns == 0 && status != ARV_BUFFER_STATUS_ABORTED;
    if (time_ns == 0 || status == ARV_BUFFER_STATUS_ABORTED) return;
    const void *pixels = arv_buffer_get_data(buffer, NULL);
    const int64_t cpu = thread_cpu_ns(), began = now_ns(); /* The first is a system call. */
    rheed_push(of->stream, pixels, of->bytes, of->width, of->height, 0, RHEED_FORMAT_MONO8, arv_buffer_get_frame_id(buffer),
               time_ns, status == ARV_BUFFER_STATUS_SUCCESS ? 0 : RHEED_FRAME_INCOMPLETE);
    const int64_t took = now_ns() - began;
    of->pushed++;
    if (of->left_at_ns == 0 || of->count == of->room) return; /* Before the first there was no callback. */
    of->push_ns[of->count] = took;
    of->between_ns[of->count] = began - of->left_at_ns;
    of->sdk_ns[of->count++] = cpu - of->left_cpu_ns;
}

static void on_buffer(void *user, ArvStreamCallbackType type, ArvBuffer *buffer) {
    camera *of = (camera *)user;
    if (type != ARV_STREAM_CALLBACK_TYPE_BUFFER_DONE) return;
    arv_stream_try_pop_buffer(of->source);
    push(of, buffer);
    arv_buffer_set_system_timestamp(buffer, 0);
    arv_stream_push_buffer(of->source, buffer);
    of->left_at_ns = now_ns();
    of->left_cpu_ns = thread_cpu_ns();
}

int main(int argc, char **argv) {
    const double rate = argument(argc, argv, "--rate", 100), seconds = argument(argc, argv, "--seconds", 5);
    camera of = {0};
    of.width = (uint32_t)argument(argc, argv, "--width", 640);
    of.height = (uint32_t)argument(argc, argv, "--height", 480);
    of.bytes = (size_t)of.width * of.height;
    of.room = (size_t)(rate * seconds) + 64;
    of.push_ns = (int64_t *)calloc(of.room, sizeof *of.push_ns);
    of.sdk_ns = (int64_t *)calloc(of.room, sizeof *of.sdk_ns);
    of.between_ns = (int64_t *)calloc(of.room, sizeof *of.between_ns);
    MUST(of.push_ns != NULL && of.sdk_ns != NULL && of.between_ns != NULL);

    ArvCamera *device = arv_camera_new(text_argument(argc, argv, "--camera", NULL), NULL);
    MUST(device != NULL);
    arv_camera_set_region(device, 0, 0, (gint)of.width, (gint)of.height, NULL);
    arv_camera_set_frame_rate(device, rate, NULL);
    arv_camera_gv_set_packet_size(device, (gint)argument(argc, argv, "--packet", 1400), NULL);
    of.stream = open_for_frames(argc, argv, of.bytes);
    of.source = arv_camera_create_stream(device, on_buffer, &of, NULL);
    MUST(of.source != NULL && arv_camera_get_payload(device, NULL) == of.bytes);
    for (int count = 16 + (int)(rate / 4); count > 0; count--) arv_stream_push_buffer(of.source, arv_buffer_new(of.bytes, NULL));
    arv_camera_start_acquisition(device, NULL);
    sleep_until(now_ns() + (int64_t)(seconds * 1e9));
    arv_camera_stop_acquisition(device, NULL);

    guint64 completed = 0, failures = 0, before;
    do { /* Until nothing more is on its way. */
        before = completed + failures;
        sleep_until(now_ns() + 200000000);
        arv_stream_get_statistics(of.source, &completed, &failures, NULL);
    } while (completed + failures != before);
    g_object_unref(of.source);
    g_object_unref(device);
    MUST(!RHEED_FAILED(rheed_finalize(of.stream, 60000)));
    const int64_t kept = stat_of(of.stream, RHEED_STAT_FRAMES_CONFIRMED) + stat_of(of.stream, RHEED_STAT_FRAMES_PENDING);
    const int64_t dropped = stat_of(of.stream, RHEED_STAT_FRAMES_DROPPED);
    printf("{\"received\": %" PRIu64 ", \"headless\": %" PRIu64 ", \"kept\": %" PRId64 ", \"dropped\": %" PRId64 ", ",
           completed + failures, of.headless, kept, dropped);
    print_samples("push_ns", of.push_ns, of.count, ", ");
    print_samples("sdk_ns", of.sdk_ns, of.count, ", ");
    print_samples("between_ns", of.between_ns, of.count, "}\n");
    rheed_free(of.stream);
    return 0;
}
