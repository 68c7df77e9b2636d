/* Preloaded: of the samples that an appsink gives, the first of each five bears the flag of elements that could not read all of it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <gst/app/gstappsink.h>

GstSample *gst_app_sink_pull_sample(GstAppSink *sink)
{
    static GstSample *(*systems)(GstAppSink *);
    static unsigned samples;
    if (systems == NULL) *(void **)&systems = dlsym(RTLD_NEXT, "gst_app_sink_pull_sample");
    GstSample *sample = systems(sink);
    if (sample == NULL || samples++ % 5 != 0) return sample;
    sample = gst_sample_make_writable(sample);
    GstBuffer *buffer = gst_buffer_copy(gst_sample_get_buffer(sample));
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_CORRUPTED);
    gst_sample_set_buffer(sample, buffer);
    gst_buffer_unref(buffer);
    return sample;
}
