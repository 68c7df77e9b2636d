/* Plays Thorlabs' SDK to the fragment of its page. */
#include "drive.h"
#include "fragment.h"

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

int main(int argc, char **argv) {
    static recording into;
    into.stream = open_stream(argc, argv);
    if (attach(&into, NULL) != 0) return 2;
    for (int at = 0; at < FRAMES; at++) {
        draw12(numbers[at], WIDTH);
        called(NULL, pixels16, (int)numbers[at], NULL, 0, with);
        memset(pixels16, 0, sizeof pixels16); /* The SDK takes it back. */
    }
    return finish(into.stream, FRAMES);
}
