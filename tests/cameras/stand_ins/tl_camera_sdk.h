/*
 * A stand-in for Thorlabs' scientific camera SDK (TSI), written for the tests of rheed-stream: the names, types and values that its maker publishes, as far
 * as the page's fragment uses them, and nothing else. No part of the SDK; it has not met it.
 */
#pragma once

typedef void (*TL_CAMERA_FRAME_AVAILABLE_CALLBACK)(void *sender, unsigned short *image_buffer, int frame_count,
                                                   unsigned char *metadata, int metadata_size_in_bytes, void *context);
typedef int (*TL_CAMERA_SET_FRAME_AVAILABLE_CALLBACK)(void *tl_camera_handle, TL_CAMERA_FRAME_AVAILABLE_CALLBACK handler,
                                                      void *context);
typedef int (*TL_CAMERA_GET_IMAGE_WIDTH)(void *tl_camera_handle, int *width);
typedef int (*TL_CAMERA_GET_IMAGE_HEIGHT)(void *tl_camera_handle, int *height);
enum TL_CAMERA_SENSOR_TYPE {
    TL_CAMERA_SENSOR_TYPE_MONOCHROME,
    TL_CAMERA_SENSOR_TYPE_BAYER,
    TL_CAMERA_SENSOR_TYPE_MONOCHROME_POLARIZED,
    TL_CAMERA_SENSOR_TYPE_MAX
};
typedef int (*TL_CAMERA_GET_CAMERA_SENSOR_TYPE)(void *tl_camera_handle, enum TL_CAMERA_SENSOR_TYPE *camera_sensor_type);
typedef int (*TL_CAMERA_GET_TIMESTAMP_CLOCK_FREQUENCY)(void *tl_camera_handle, int *timestamp_clock_frequency_hz_or_zero);

/* The SDK's own loader fills these in. */
extern TL_CAMERA_SET_FRAME_AVAILABLE_CALLBACK tl_camera_set_frame_available_callback;
extern TL_CAMERA_GET_IMAGE_WIDTH tl_camera_get_image_width;
extern TL_CAMERA_GET_IMAGE_HEIGHT tl_camera_get_image_height;
extern TL_CAMERA_GET_CAMERA_SENSOR_TYPE tl_camera_get_camera_sensor_type;
extern TL_CAMERA_GET_TIMESTAMP_CLOCK_FREQUENCY tl_camera_get_timestamp_clock_frequency;
