/*
 * A stand-in for Teledyne FLIR's Spinnaker C API, written for the tests of rheed-stream: the names, types and values that its maker publishes, as far
 * as the page's fragment uses them, and nothing else. No part of the SDK; it has not met it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum { SPINNAKER_ERR_SUCCESS = 0, SPINNAKER_ERR_IO = -1010, SPINNAKER_ERR_TIMEOUT = -1011 } spinError;
typedef void *spinCamera;
typedef void *spinImage;
typedef uint8_t bool8_t;

spinError spinCameraGetNextImageEx(spinCamera camera, uint64_t timeout_ms, spinImage *image);
spinError spinImageRelease(spinImage image);
spinError spinImageGetData(spinImage image, void **data);
spinError spinImageGetBufferSize(spinImage image, size_t *size);
spinError spinImageGetWidth(spinImage image, size_t *width);
spinError spinImageGetHeight(spinImage image, size_t *height);
spinError spinImageGetStride(spinImage image, size_t *stride_bytes);
spinError spinImageGetTLPixelFormat(spinImage image, uint64_t *format);
spinError spinImageGetFrameID(spinImage image, uint64_t *id);
spinError spinImageGetTimeStamp(spinImage image, uint64_t *time);
spinError spinImageIsIncomplete(spinImage image, bool8_t *is_incomplete);
