"""Streams simulated frames from Python, with nothing but its standard library.

    python3 stream.py [key=value ...]

Each key=value becomes a line of the stream's options (docs/options.md). The environment variable RHEED_LIBRARY may say where the
library is; else the system's usual places are searched. Ends with 0 when no frame was lost.
"""

import ctypes
import os
import sys
import time
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_uint32, c_uint64, c_void_p

# The numbers of rheed_stream.h that this program needs.
W_PENDING, E_QUEUE_FULL, E_DISK_FULL = 1, -5, -11
FRAME_INCOMPLETE = 1
TEXT_STATUS, TEXT_LAST_ERROR = 3, 4
STAT_ACCEPTED, STAT_CONFIRMED, STAT_PENDING, STAT_LOST, STATS = 2, 3, 4, 5, 24
ABI, FORMAT_MONO8 = 1, 0x01080001

WIDTH, HEIGHT, FPS, FRAMES = 320, 240, 60, 90


def find():
    """The library under the first of its names that can be loaded: the second is that of a copy for 64-bit LabVIEW, or for building."""
    names = ["rheed_stream.dll", "rheed_stream_64.dll"] if os.name == "nt" else ["librheed_stream.so.1", "librheed_stream.so"]
    named = os.environ.get("RHEED_LIBRARY")
    reasons = []
    for name in [named] if named else names:
        try:
            return ctypes.CDLL(name)  # Lets other threads run during each call.
        except OSError as error:
            reasons.append(f"{name}: {error}")
    sys.exit("error: no library; RHEED_LIBRARY may say where it is\n" + "\n".join(reasons))


def load():
    """The library, with the types of its functions: without them ctypes would cut a handle to 32 bits."""
    library = find()
    signatures = {
        "rheed_abi": [],
        "rheed_init": [c_char_p, POINTER(c_uint64), c_char_p, c_int32],
        "rheed_push": [c_uint64, c_void_p, c_uint64, c_uint32, c_uint32, c_uint32, c_uint32, c_uint64, c_int64, c_uint32],
        "rheed_next_event": [c_uint64, c_int32, POINTER(c_int32), POINTER(c_int64), POINTER(c_int64), c_char_p, c_int32,
                             POINTER(c_int32)],
        "rheed_stats": [c_uint64, POINTER(c_int64), c_int32, POINTER(c_int32)],
        "rheed_text": [c_uint64, c_int32, c_char_p, c_int32, POINTER(c_int32)],
        "rheed_region_set": [c_uint64, c_int32, c_uint32, c_uint32, c_uint32, c_uint32],
        "rheed_region_read": [c_uint64, c_int32, POINTER(c_uint64), POINTER(c_int64), POINTER(c_uint64), POINTER(c_uint32),
                              POINTER(c_double), POINTER(c_int32), POINTER(c_int64), c_int32, POINTER(c_int32), POINTER(c_int64)],
        "rheed_finalize": [c_uint64, c_int32],
        "rheed_free": [c_uint64],
    }
    for name, types in signatures.items():
        function = getattr(library, name)
        function.argtypes, function.restype = types, c_int32
    library.rheed_strerror.argtypes, library.rheed_strerror.restype = [c_int32], c_char_p
    if library.rheed_abi() != ABI:
        sys.exit(f"this program knows interface {ABI}, the library has {library.rheed_abi()}")
    return library


class RheedError(Exception):
    def __init__(self, code, words):
        super().__init__(f"{words} (code {code})")
        self.code = code


class Stream:
    """An open stream: `with Stream(library, options) as stream`. Left without finalize, it still uploads what it took."""

    def __init__(self, library, options):
        self.library, self.handle = library, c_uint64(0)
        message = ctypes.create_string_buffer(1024)
        code = library.rheed_init(options.encode(), byref(self.handle), message, len(message))
        self.remark = message.value.decode()
        if code < 0:
            raise RheedError(code, self.remark or library.rheed_strerror(code).decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.library.rheed_free(self.handle)

    def check(self, code):
        """The code, if it is none of an error; what went wrong is told by the stream."""
        if code < 0:
            raise RheedError(code, self.text(TEXT_LAST_ERROR) or self.library.rheed_strerror(code).decode())
        return code

    def push(self, pixels, size, width, height, stride, pixel_format, frame_id, timestamp_ns=0, flags=0):
        """Whether the frame was taken: `size` bytes or the address of as many. One that finds no room is counted by the library; the
        camera goes on."""
        code = self.library.rheed_push(self.handle, pixels, size, width, height, stride, pixel_format, frame_id, timestamp_ns, flags)
        if code in (E_QUEUE_FULL, E_DISK_FULL):
            return False
        return self.check(code) == 0

    def events(self):
        """The lines of the events that wait now."""
        kind, text = c_int32(), ctypes.create_string_buffer(1024)
        while True:
            self.check(self.library.rheed_next_event(self.handle, 0, byref(kind), None, None, text, len(text), None))
            if kind.value == 0:
                return
            yield text.value.decode()

    def stats(self):
        values = (c_int64 * STATS)()
        self.check(self.library.rheed_stats(self.handle, values, STATS, None))
        return list(values)

    def set_region(self, region, x, y, width, height):
        self.check(self.library.rheed_region_set(self.handle, region, x, y, width, height))

    def readings(self, region, position):
        """Those newer than `position`, a c_uint64 that is 0 at first and goes on: Unix seconds and the mean of each whole frame."""
        most, count = 1000, c_int32(1000)
        times, flags, means = (c_int64 * most)(), (c_uint32 * most)(), (c_double * most)()
        while count.value == most:
            self.check(self.library.rheed_region_read(self.handle, region, byref(position), times, None, flags, means, None, None,
                                                      most, byref(count), None))
            for at in range(count.value):
                if not flags[at] & FRAME_INCOMPLETE:
                    yield times[at] * 1e-9, means[at]

    def text(self, which):
        text = ctypes.create_string_buffer(1024)
        self.library.rheed_text(self.handle, which, text, len(text), None)
        return text.value.decode()

    def finalize(self, timeout_ms):
        return self.check(self.library.rheed_finalize(self.handle, timeout_ms))


def picture(index):
    """A simulated frame: bytes, row by row. A numpy array of uint8 would give its address with `array.ctypes.data`."""
    return bytes((3 * row + column + 7 * index) & 255 for row in range(HEIGHT) for column in range(WIDTH))


def main(arguments):
    library = load()
    with Stream(library, "\n".join([f"fps = {FPS}", *arguments])) as stream:
        if stream.remark:
            print(stream.remark)
        pictures = [picture(index) for index in range(FRAMES)]  # Not in the loop: this camera is slower than a real one.
        stream.set_region(0, WIDTH // 2 - 10, HEIGHT // 2 - 10, 20, 20)  # Around the spot.
        position = c_uint64(0)
        due = time.monotonic()
        for index, pixels in enumerate(pictures):
            time.sleep(max(0.0, due - time.monotonic()))
            due += 1 / FPS
            stream.push(pixels, len(pixels), WIDTH, HEIGHT, 0, FORMAT_MONO8, index)
            for event in stream.events():
                print("event:", event)
            if index % 15 == 14:  # A few times a second.
                for seconds, mean in stream.readings(0, position):
                    print(f"spot: {seconds:.3f} s {mean:.2f}")
        ended = stream.finalize(60000)
        for event in stream.events():
            print("event:", event)
        for seconds, mean in stream.readings(0, position):
            print(f"spot: {seconds:.3f} s {mean:.2f}")
        stats = stream.stats()
        print(stream.text(TEXT_STATUS))
        print(f"{stats[STAT_ACCEPTED]} taken, {stats[STAT_CONFIRMED]} confirmed, {stats[STAT_LOST]} lost")
        if ended == W_PENDING:
            print(f"{stats[STAT_PENDING]} frames are in the spool: the next stream there sends them")
        return 0 if stats[STAT_ACCEPTED] == FRAMES and stats[STAT_LOST] == 0 else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RheedError as error:
        sys.exit(f"error: {error}")
