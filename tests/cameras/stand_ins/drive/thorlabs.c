/* Plays Thorlabs' SDK to the fragment of its page. */
#include "drive.h"
#include "fragment.h"

enum { TICK_HZ = 40000000 };

static TL_CAMERA_FRAME_AVAILABLE_CALLBACK called;
static void *with;

static int set_callback(void *camera, TL_CAMERA_FRAME_AVAILABLE_CALLBACK handler, void *context) {
    return (void)camera, called = handler, with = context, 0;
}
static int get_width(void *camera, int *width) { return (void)camera, *width = WIDTH, 0; }
static int get_height(void *camera, int *height) { return (void)camera, *height = HEIGHT, 0; }
TL_CAMERA_SET_FRAME_AVAILABLE_CALLBACK tl_camera_set_frame_available_callback = set_callback;
TL_CAMERA_GET_IMAGE_WIDTH tl_camera_get_image_width = get_width;
TL_CAMERA_GET_IMAGE_HEIGHT tl_camera_get_image_height = get_height;
static int get_sensor(void *camera, enum TL_CAMERA_SENSOR_TYPE *sensor) {
    return (void)camera, *sensor = is_played("colour") ? TL_CAMERA_SENSOR_TYPE_BAYER : TL_CAMERA_SENSOR_TYPE_MONOCHROME, 0;
}
static int get_frequency(void *camera, int *hz) { return (void)camera, *hz = TICK_HZ, is_played("timeless"); }
TL_CAMERA_GET_CAMERA_SENSOR_TYPE tl_camera_get_camera_sensor_type = get_sensor;
TL_CAMERA_GET_TIMESTAMP_CLOCK_FREQUENCY tl_camera_get_timestamp_clock_frequency = get_frequency;

/* Behind the end tag the SDK's memory goes on with another frame's. */
static unsigned char metadata[] = "TSI\0\0\0\0\0" "FCNT\3\0\0\0" "PCKH\1\0\0\0" "PCKL\2\0\0\200" "ENDT\0\0\0\0" "PCKL\7\0\0\0";

int main(int argc, char **argv) {
    static recording into;
    const int refused = attach(&into, NULL) != 0;
    into.stream = open_stream(argc, argv);
    if (refused) return finish(into.stream, NONE_TO_GIVE_BACK);
    if (into.tick_hz != (is_played("timeless") ? 0 : TICK_HZ)) return 3;
    if (ticks_of(metadata, (int)sizeof metadata - 1) != 0x180000002 || ticks_of(metadata, 28) != 0x100000000) return 4;
    if (ticks_of(NULL, 0) != 0) return 5;
    for (int at = 0; at < FRAMES; at++) {
        take();
        draw12(number_of(at), WIDTH);
        const uint32_t high = (uint32_t)(ticks(TICK_HZ) >> 32), low = (uint32_t)ticks(TICK_HZ);
        memcpy(metadata + 20, &high, 4), memcpy(metadata + 28, &low, 4);
        called(NULL, pixels16, (int)number_of(at), metadata, (int)sizeof metadata - 1, with);
        memset(pixels16, 0, sizeof pixels16); /* The SDK takes it back. */
    }
    return finish(into.stream, NONE_TO_GIVE_BACK);
}
