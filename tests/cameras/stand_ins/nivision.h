/*
 * A stand-in for NI Vision's C API, written for the tests of rheed-stream: the names, types and values that its maker publishes, as far
 * as the page's fragment uses them, and nothing else. No part of the SDK; it has not met it.
 */
#pragma once

typedef struct Image_struct Image;
typedef enum { IMAQ_UNDEFINED = 0 } CalibrationUnit;
typedef enum { IMAQ_IMAGE_U8 = 0, IMAQ_IMAGE_I16 = 1, IMAQ_IMAGE_SGL = 2, IMAQ_IMAGE_RGB = 4, IMAQ_IMAGE_U16 = 7 } ImageType;

typedef struct ImageInfo_struct {
    CalibrationUnit imageUnit;
    float stepX;
    float stepY;
    ImageType imageType;
    int xRes;
    int yRes;
    int xOffset;
    int yOffset;
    int border;
    int pixelsPerLine;
    void *reserved0;
    void *reserved1;
    void *imageStart;
} ImageInfo;

/* Not 0 for success. */
int imaqGetImageInfo(const Image *image, ImageInfo *info);
