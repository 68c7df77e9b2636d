/* Preloaded: the fake camera, which has no packed format, says that it has one. */
#include <arv.h>

ArvPixelFormat arv_camera_get_pixel_format(ArvCamera *camera, GError **error) {
    (void)camera, (void)error;
    return 0x010C0047; /* Mono12p */
}
