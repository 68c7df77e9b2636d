/*
 * Whatever GStreamer can read, pushed from its streaming thread: a camera by v4l2src or rtspsrc, or a video file. GigE Vision and
 * USB3 Vision cameras are better off with aravis_camera.c: aravissrc throws incomplete frames away, and numbers none.
 *
 *     gstreamer_appsink [--fps 30] [PIPELINE | FILE] [key=value ...]
 *
 * PIPELINE is what gst-launch-1.0 takes, without a sink: "v4l2src device=/dev/video0"; without one it is videotestsrc. Colour
 * becomes grey. --fps is for live sources, whose rate is not known in advance, and needed there. Each key=value becomes a line
 * of the stream's options (docs/options.md). Ends with its source or at Ctrl-C; with 0 when the stream lost, dropped and refused no frame.
 */
#include <gst/app/gstappsink.h>
#include <gst/video/video.h>
#include <inttypes.h>
#include <rheed_stream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recording.h"

typedef struct {
    rheed_stream stream;
    GstElement *pipeline;
    gboolean is_live;
    gint is_unnumbered; /* Set by the streaming thread. */
    uint64_t samples, unreadable;
} recording;

/* Unix time of capture: now, less what has gone by on the pipeline's clock since the time that the buffer bears. 0: unknown. */
static int64_t captured_at(const recording *into, GstSample *sample) {
    const GstClockTime pts = GST_BUFFER_PTS(gst_sample_get_buffer(sample));
    const guint64 running = gst_segment_to_running_time(gst_sample_get_segment(sample), GST_FORMAT_TIME, pts);
    GstClock *clock = gst_element_get_clock(into->pipeline);
    if (clock == NULL || running == GST_CLOCK_TIME_NONE) return 0;
    const GstClockTimeDiff late = GST_CLOCK_DIFF(gst_element_get_base_time(into->pipeline) + running, gst_clock_get_time(clock));
    gst_object_unref(clock);
    return (int64_t)g_get_real_time() * 1000 - late;
}

/* Called on the streaming thread, once a frame. It must not wait, or the camera behind it loses frames: rheed_push never does. */
static GstFlowReturn on_sample(GstAppSink *sink, gpointer user) {
    recording *into = (recording *)user;
    GstSample *sample = gst_app_sink_pull_sample(sink);
    GstVideoInfo info;
    GstVideoFrame frame;
    if (sample == NULL) return GST_FLOW_EOS;
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    into->samples++;
    if (gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) && gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ)) {
        const uint32_t width = (uint32_t)GST_VIDEO_FRAME_WIDTH(&frame), height = (uint32_t)GST_VIDEO_FRAME_HEIGHT(&frame);
        const uint32_t stride = (uint32_t)GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0); /* Rows are padded to 4 bytes, or more. */
        const uint32_t row = width * (uint32_t)GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, 0);
        const uint32_t format = GST_VIDEO_FRAME_FORMAT(&frame) == GST_VIDEO_FORMAT_GRAY8 ? RHEED_FORMAT_MONO8 : RHEED_FORMAT_MONO16;
        /* Some sources of live video number their frames here. In files it may be a place in the file, and nothing gets lost. */
        const uint64_t id = into->is_live && GST_BUFFER_OFFSET_IS_VALID(buffer) ? GST_BUFFER_OFFSET(buffer) : RHEED_NO_FRAME_ID;
        if (into->is_live && id == RHEED_NO_FRAME_ID) g_atomic_int_set(&into->is_unnumbered, TRUE);
        const uint32_t flags = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED) ? RHEED_FRAME_INCOMPLETE : 0;
        rheed_push(into->stream, GST_VIDEO_FRAME_PLANE_DATA(&frame, 0), (uint64_t)stride * (height - 1) + row, width, height,
                   stride, format, id, captured_at(into, sample), flags);
        gst_video_frame_unmap(&frame);
    } else into->unreadable++;
    gst_sample_unref(sample);
    return GST_FLOW_OK;
}

static int failed(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

/* Plays to the end; whether it ended well. */
static gboolean play(recording *of) {
    GstBus *bus = gst_element_get_bus(of->pipeline);
    gboolean is_over = FALSE, is_well = TRUE, is_told = FALSE;
    gst_element_set_state(of->pipeline, GST_STATE_PLAYING);
    while (!is_over && !interrupted && (of->stream == 0 || goes_on(of->stream, 0))) {
        GstMessage *message = gst_bus_timed_pop_filtered(bus, 200 * GST_MSECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
        if (!is_told && g_atomic_int_get(&of->is_unnumbered))
            is_told = failed("its source does not number frames", "what it loses is not seen");
        if (message == NULL) continue;
        is_over = TRUE;
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
            GError *error = NULL;
            gst_message_parse_error(message, &error, NULL);
            is_well = failed("the pipeline ends", error->message) == 0;
            g_error_free(error);
        }
        gst_message_unref(message);
    }
    gst_element_set_state(of->pipeline, GST_STATE_NULL); /* No callback after this. */
    gst_object_unref(bus);
    return is_well;
}

int main(int argc, char **argv) {
    const char *source = "videotestsrc", *rate = "0";
    GString *options = g_string_new("");
    gst_init(&argc, &argv);
    for (int at = 1; at < argc; at++) {
        const size_t key = strspn(argv[at], "abcdefghijklmnopqrstuvwxyz_");
        if (strcmp(argv[at], "--fps") == 0 && at + 1 < argc) rate = argv[++at];
        else if (argv[at][key] == '=' && key > 0) g_string_append_printf(options, "%s\n", argv[at]);
        else source = argv[at];
    }

    /* The callback takes each buffer at once, so one place is enough; drop=true would lose frames that nobody counts. */
    const gboolean is_file = g_file_test(source, G_FILE_TEST_IS_REGULAR);
    char *text = g_strdup_printf("%s ! videoconvert ! video/x-raw,format=(string){GRAY8,GRAY16_LE} ! appsink name=frames "
                                 "max-buffers=1 drop=false", is_file ? "filesrc name=file ! decodebin" : source);
    GError *error = NULL;
    recording into = {0};
    into.pipeline = gst_parse_launch(text, &error);
    if (error != NULL) return failed(text, error->message);
    GstElement *sink = gst_bin_get_by_name(GST_BIN(into.pipeline), "frames");
    if (is_file) gst_child_proxy_set(GST_CHILD_PROXY(into.pipeline), "file::location", source, NULL);

    /* What is not live waits with its first frame now, so its rate is known; it then keeps its pace. Live frames just come. */
    gst_element_set_state(into.pipeline, GST_STATE_PAUSED);
    const GstStateChangeReturn ready = gst_element_get_state(into.pipeline, NULL, NULL, 20 * GST_SECOND);
    if (ready == GST_STATE_CHANGE_FAILURE) return !play(&into); /* It says why. */
    into.is_live = ready == GST_STATE_CHANGE_NO_PREROLL;
    g_object_set(sink, "sync", !into.is_live, NULL);
    GstPad *pad = gst_element_get_static_pad(sink, "sink");
    GstCaps *caps = gst_pad_get_current_caps(pad);
    GstVideoInfo info;
    double fps = atof(rate);
    if (caps != NULL && gst_video_info_from_caps(&info, caps) && info.fps_n > 0) fps = (double)info.fps_n / info.fps_d;
    if (fps <= 0.0) return failed(source, "its rate is not known before it runs: give it by --fps");

    char said[1024];
    g_string_append_printf(options, "fps = %.3f\n", fps);
    if (RHEED_FAILED(rheed_init(options->str, &into.stream, said, sizeof said))) return failed("the stream does not open", said);
    if (said[0] != '\0') printf("%s\n", said);
    GstAppSinkCallbacks callbacks = {0};
    callbacks.new_sample = on_sample;
    gst_app_sink_set_callbacks(GST_APP_SINK(sink), &callbacks, &into, NULL);
    end_when_interrupted();
    const gboolean is_well = play(&into);

    printf("pipeline: %" PRIu64 " samples, %" PRIu64 " unreadable\n", into.samples, into.unreadable);
    const int code = finish(into.stream);
    return code != 0 || !is_well || into.unreadable != 0;
}
