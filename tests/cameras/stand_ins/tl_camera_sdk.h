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

/* The SDK's own loader fills these in. */
extern TL_CAMERA_SET_FRAME_AVAILABLE_CALLBACK tl_camera_set_frame_available_callback;
extern TL_CAMERA_GET_IMAGE_WIDTH tl_camera_get_image_width;
extern TL_CAMERA_GET_IMAGE_HEIGHT tl_camera_get_image_height;
