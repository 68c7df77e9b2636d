/*
 * A GigE Vision or USB3 Vision camera by Aravis, pushed from Aravis's own stream thread.
 *
 *     aravis_camera [--camera ID] [--seconds 10] [--fps 60] [--set "PixelFormat=Mono12 Width=640"] [key=value ...]
 *
 * ID is a camera's name or address; without one it is the first that is found. --set sets features of the camera. Each
 * key=value becomes a line of the stream's options (docs/options.md). Ends after so many seconds (0: never), at Ctrl-C, or when
 * the camera is gone; with 0 when the stream lost, dropped and refused no frame.
 */
#include <arv.h>
#include <inttypes.h>
#include <rheed_stream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recording.h"

typedef struct {
    rheed_stream stream;
    ArvStream *source;
    /* As the last whole frame was: Aravis tells them of whole frames only. */
    guint32 width, height, stride, format;
    gsize bytes;
    guint64 pushed, headless, left_out, first, last;
} recording;

static gint camera_gone;

static void on_control_lost(void) { g_atomic_int_set(&camera_gone, TRUE); }

static void learn(recording *into, ArvBuffer *whole) {
    gint padding = 0;
    arv_buffer_get_image_padding(whole, &padding, NULL);
    arv_buffer_get_image_region(whole, NULL, NULL, (gint *)&into->width, (gint *)&into->height);
    into->format = (guint32)arv_buffer_get_image_pixel_format(whole); /* PFNC, as rheed_push takes it. */
    into->stride = padding == 0 ? 0 : (into->width * ARV_PIXEL_FORMAT_BIT_PER_PIXEL(into->format) + 7) / 8 + (guint32)padding;
    arv_buffer_get_image_data(whole, &into->bytes);
}

static void push(recording *into, ArvBuffer *buffer) {
    guint32 flags = 0;
    switch (arv_buffer_get_status(buffer)) {
    case ARV_BUFFER_STATUS_SUCCESS: learn(into, buffer); break;
    case ARV_BUFFER_STATUS_MISSING_PACKETS:
    case ARV_BUFFER_STATUS_WRONG_PACKET_ID:
    case ARV_BUFFER_STATUS_TIMEOUT: flags = RHEED_FRAME_INCOMPLETE; break;
    default: into->left_out++; return; /* Cut off as the stream stopped, or no picture. */
    }
    /* 0: its first packet was lost, and with it the frame's number. The next number's gap tells of it. */
    const gint64 time_ns = (gint64)arv_buffer_get_system_timestamp(buffer);
    if (time_ns != 0) {
        into->last = arv_buffer_get_frame_id(buffer);
        if (into->pushed++ == 0) into->first = into->last;
        rheed_push(into->stream, arv_buffer_get_data(buffer, NULL), into->bytes, into->width, into->height, into->stride,
                   into->format, into->last, time_ns, flags);
    } else into->headless++;
}

/* Called on the thread that receives the packets: whoever waits here loses some. rheed_push copies, and never waits. */
static void on_buffer(void *user, ArvStreamCallbackType type, ArvBuffer *buffer) {
    recording *into = (recording *)user;
    if (type != ARV_STREAM_CALLBACK_TYPE_BUFFER_DONE) return;
    arv_stream_try_pop_buffer(into->source); /* It stands among the finished ones already. */
    push(into, buffer);
    arv_buffer_set_system_timestamp(buffer, 0); /* Else a frame without its first packet would bear this one's. */
    arv_stream_push_buffer(into->source, buffer);
}

static int failed(const char *what, const char *why) { return fprintf(stderr, "%s: %s\n", what, why), 1; }

/* A camera that is not given back is refused to the next program, for seconds. */
static int leave(ArvCamera *camera, recording *into, int code) {
    g_clear_object(&into->source); /* Ends its thread: no callback after this. */
    g_object_unref(camera);
    return code;
}

int main(int argc, char **argv) {
    const char *id = NULL, *features = "";
    double seconds = 10.0, fps = 0.0;
    GString *options = g_string_new("");
    for (int at = 1; at < argc; at++) {
        const char *value = at + 1 < argc ? argv[at + 1] : NULL;
        if (strncmp(argv[at], "--", 2) != 0) g_string_append_printf(options, "%s\n", argv[at]);
        else if (value == NULL) return failed(argv[at], "a value is missing");
        else if (strcmp(argv[at], "--camera") == 0) id = argv[++at];
        else if (strcmp(argv[at], "--seconds") == 0) seconds = atof(argv[++at]);
        else if (strcmp(argv[at], "--fps") == 0) fps = atof(argv[++at]);
        else if (strcmp(argv[at], "--set") == 0) features = argv[++at];
        else return failed(argv[at], "is none of --camera, --seconds, --fps, --set");
    }

    GError *error = NULL;
    char text[1024];
    recording into = {0};
    ArvCamera *camera = arv_camera_new(id, &error);
    if (camera == NULL) return failed("no camera", error->message);
    arv_device_set_features_from_string(arv_camera_get_device(camera), features, &error);
    if (error == NULL && fps > 0.0) arv_camera_set_frame_rate(camera, fps, &error);
    if (error == NULL) fps = arv_camera_get_frame_rate(camera, &error);
    if (error == NULL) into.format = (guint32)arv_camera_get_pixel_format(camera, &error);
    if (error == NULL) arv_camera_get_region(camera, NULL, NULL, (gint *)&into.width, (gint *)&into.height, &error);
    if (error == NULL) into.bytes = arv_camera_get_payload(camera, &error);
    if (error == NULL) into.source = arv_camera_create_stream(camera, on_buffer, &into, &error);
    if (error != NULL) return leave(camera, &into, failed("the camera refuses", error->message));
    if (into.width * ARV_PIXEL_FORMAT_BIT_PER_PIXEL(into.format) % 8 != 0) /* rheed_push wants each row to begin with a byte. */
        return leave(camera, &into, failed("its rows of packed pixels end within a byte", "set Width to a multiple of 4"));

    g_string_append_printf(options, "fps = %.3f\n", fps);
    if (RHEED_FAILED(rheed_init(options->str, &into.stream, text, sizeof text)))
        return leave(camera, &into, failed("the stream does not open", text));
    if (text[0] != '\0') printf("%s\n", text);

    /* A frame of which packets are missing is waited for 100 ms, and those behind it wait with it: room for a quarter second. */
    if (ARV_IS_GV_STREAM(into.source)) g_object_set(into.source, "socket-buffer", ARV_GV_STREAM_SOCKET_BUFFER_AUTO, NULL);
    for (int at = 0; at < 8 + (int)(fps / 4.0); at++) arv_stream_push_buffer(into.source, arv_buffer_new(into.bytes, NULL));
    end_when_interrupted();
    g_signal_connect(arv_camera_get_device(camera), "control-lost", G_CALLBACK(on_control_lost), NULL);
    arv_camera_start_acquisition(camera, &error);

    const double end = seconds > 0.0 ? (double)g_get_monotonic_time() + seconds * 1e6 : 1e18;
    while (error == NULL && !interrupted && !g_atomic_int_get(&camera_gone) && goes_on(into.stream, 100) &&
           (double)g_get_monotonic_time() < end) {}
    GError *deaf = NULL;
    if (error != NULL) failed("the camera does not start", error->message);
    else if (g_atomic_int_get(&camera_gone)) failed("the camera is gone", "what came is kept");
    else arv_camera_stop_acquisition(camera, &deaf);
    if (deaf != NULL) failed("the camera does not stop", deaf->message);

    guint64 completed = 0, failures = 0, underruns = 0, before = 1;
    for (int wait = 0; wait < 10 && completed + failures != before; wait++) { /* Until nothing more is on its way, or for 2 s. */
        before = completed + failures;
        g_usleep(200000);
        arv_stream_get_statistics(into.source, &completed, &failures, &underruns);
    }
    leave(camera, &into, 0); /* And the stream can end. */
    printf("camera: %" PRIu64 " completed, %" PRIu64 " failures, %" PRIu64 " underruns\n", completed, failures, underruns);
    printf("callback: %" PRIu64 " pushed, %" PRIu64 " the first number, %" PRIu64 " the last, %" PRIu64 " headless, %" PRIu64
           " left out\n", into.pushed, into.first, into.last, into.headless, into.left_out);
    const int code = finish(into.stream);
    return code != 0 || error != NULL;
}
