/* Preloaded: a camera that a stop does not reach. It goes on sending. */
#include <arv.h>

void arv_camera_stop_acquisition(ArvCamera *camera, GError **error) {
    (void)camera;
    g_set_error_literal(error, ARV_DEVICE_ERROR, ARV_DEVICE_ERROR_TIMEOUT, "no answer to the stop");
}
