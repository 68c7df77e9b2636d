"""A Basler camera by pypylon: retrieve, push, give the buffer back.

    python3 pypylon_camera.py [--camera SERIAL] [--seconds 10] [--frames 0] [--fps 60] [--set "PixelFormat=Mono12 Width=640"]
                              [key=value ...]

Without a serial number it is the first camera that is found. --set sets features of the camera. Each key=value becomes a line of
the stream's options (docs/options.md). Ends after so many seconds or frames (0: never), at Ctrl-C, or when the camera is lost; with
0 when the stream lost, dropped and refused no frame. Needs pypylon 26.6 or later; stream.py is the one of examples_other, which is
looked for there and beside this file.
"""

import argparse
import math
import os
import signal
import sys
import time
from ctypes import byref, c_char

from pypylon import genicam, pylon

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples_other"))
from stream import STAT_ACCEPTED, RheedError, Stream, load

STAT_DROPPED, STAT_INCOMPLETE, FRAME_INCOMPLETE = 6, 9, 1  # More numbers of rheed_stream.h.
interrupted = False


def on_interrupt(number, _frame):
    """The first Ctrl-C ends the recording, the second one the program, also while it finalizes: what came is in the spool."""
    global interrupted
    interrupted = True
    signal.signal(number, signal.SIG_DFL)


def push(stream, result):
    """Pushes a frame out of pylon's own buffer: the library's is the only copy. No view of it is left when this returns."""
    has_stride, stride = result.GetStride()
    if has_stride:
        view = result.GetImageMemoryView()  # All of it: GetMemoryView ends where a failed grab ended. GetBuffer and GetArray copy.
        stream.push(byref(c_char.from_buffer(view)), view.nbytes, result.Width, result.Height, stride, result.PixelType,
                    result.BlockID, result.TimeStamp, 0 if result.GrabSucceeded() else FRAME_INCOMPLETE)
    elif result.GrabSucceeded():  # Else it was cancelled, and there is no picture.
        raise ValueError(f"rows of {result.Width} packed pixels end within a byte: set Width to a multiple of 4")


class Recording:
    """A loop, not an event handler. pylon fills its buffers on a thread of its own in either case; a handler in Python waits there
    for Python's lock, its exceptions end the grabbing without a word of what they were, and it is not told when the camera is lost."""

    def __init__(self, camera, stream):
        self.camera, self.stream, self.came, self.refused = camera, stream, 0, 0

    def fetch(self, wait_ms):
        """Whether a frame came. Its buffer is pylon's again when this returns."""
        with self.camera.RetrieveResult(wait_ms, pylon.TimeoutHandling_Return) as result:
            if not result.IsValid():
                return False
            self.came += 1
            try:
                push(self.stream, result)
            except (RheedError, ValueError) as error:
                if self.stream.stats()[STAT_ACCEPTED] + self.stream.stats()[STAT_DROPPED] == 0:
                    raise  # None will be taken: the format is wrong. Else it was an odd one, which ends nothing.
                if self.refused == 0:
                    print(f"a frame is refused: {error}", file=sys.stderr)
                self.refused += 1
            return True

    def run(self, seconds, frames):
        self.camera.StartGrabbingMax(frames or sys.maxsize, pylon.GrabStrategy_OneByOne)
        end, told = time.monotonic() + (seconds or math.inf), 0.0
        while self.camera.IsGrabbing() and not interrupted and time.monotonic() < end:
            self.fetch(500)
            if time.monotonic() > told + 1:
                told = time.monotonic()
                for event in self.stream.events():
                    print("  event:", event, flush=True)
        if self.camera.IsGrabbing():
            self.camera.AcquisitionStop.Execute()
            while self.fetch(100):  # What waits in buffers: StopGrabbing throws it away.
                pass
            self.camera.StopGrabbing()
        elif self.came != frames:
            raise ConnectionError("pylon grabs no more")


def set_up(camera, features, fps):
    """Sets features, and tells the camera's real rate."""
    camera.Open()
    for feature in features.split():
        name, _, value = feature.partition("=")
        getattr(camera, name).FromString(value)
    if fps:
        camera.AcquisitionFrameRateEnable.TrySetValue(True)
        for rate in (camera.AcquisitionFrameRate, camera.AcquisitionFrameRateAbs):  # Cameras have one of them.
            rate.TrySetValue(fps)
    rates = (camera.BslResultingAcquisitionFrameRate, camera.ResultingFrameRate, camera.ResultingFrameRateAbs)
    fps = next((rate.Value for rate in rates if rate.IsReadable()), fps)
    camera.MaxNumBuffer.Value = max(10, int(fps / 4))  # Python may be busy for a quarter of a second.
    return fps


def main(arguments):
    parser = argparse.ArgumentParser(usage=__doc__)
    for name, default in (("camera", ""), ("seconds", 10.0), ("frames", 0), ("fps", 0.0), ("set", "")):
        parser.add_argument(f"--{name}", default=default, type=type(default))
    parser.add_argument("options", nargs="*")
    asked = parser.parse_intermixed_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_interrupt)
    library, complaint, wanted = load(), None, pylon.DeviceInfo()
    if asked.camera:
        wanted.SetSerialNumber(asked.camera)
    try:
        camera = pylon.InstantCamera(pylon.TlFactory.GetInstance().CreateFirstDevice(wanted))
        fps = set_up(camera, asked.set, asked.fps)
    except genicam.GenericException as error:
        sys.exit(f"no camera, or it refuses: {error}")
    hz = camera.GevTimestampTickFrequency.GetValueOrDefault(1000000000)  # USB cameras count nanoseconds.
    options = [*asked.options, f"fps = {fps:.3f}", "timestamp_clock = device", f"device_tick_hz = {hz}"]
    with Stream(library, "\n".join(options)) as stream:
        print(stream.remark, end="\n" if stream.remark else "")
        recording = Recording(camera, stream)
        try:
            recording.run(asked.seconds, asked.frames)
        except (genicam.GenericException, ConnectionError) as error:
            complaint = f"the camera is lost: {error}"
        except (RheedError, ValueError) as error:
            complaint = f"a frame is refused: {error}"
        if complaint:
            print(complaint, file=sys.stderr)
        else:
            print(f"pylon: {camera.StreamGrabber.Statistic_Failed_Buffer_Count.GetValueOrDefault(-1)} failed", flush=True)
        camera.DestroyDevice()  # Other programs may have it.
        stream.finalize(60000)
        for event in stream.events():
            print("  event:", event)
        taken, confirmed, _, lost, dropped, rejected, missed, incomplete = stream.stats()[STAT_ACCEPTED : STAT_INCOMPLETE + 1]
        print(f"stream: {taken} taken, {confirmed} confirmed, {lost} lost, {dropped} dropped, {rejected} rejected, {missed} missed, "
              f"{incomplete} incomplete")
        return 1 if complaint or lost + dropped + recording.refused else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RheedError as error:
        sys.exit(f"error: {error}")
