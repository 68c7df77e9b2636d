"""Runs examples_cameras/pypylon_camera.py as it is, writes down what pylon hands it, and lets things happen on the way.

    pypylon_witness.py FOLDER SCENE [arguments of the program]

For each picture, FOLDER/told has a line: its BlockID, whether the grab succeeded, the Unix time in ns when it was handed over, and
its number of bytes, which follow each other in FOLDER/pixels. Then, with how many pictures the grabbing was ended: `left 0`.
A SCENE happens at the tenth picture, or from the first one on:

    plain         nothing
    failed        the next three grabs fail
    skipped       one picture is lost on the way
    lost          the camera is lost: pylon tells it by an exception
    gone          the same, and pylon tells it by nothing but the end of the grabbing
    slow          whoever takes the pictures is slower than the camera
    ticks         results have a time stamp, which the emulated camera's have not: a counter, two billion ticks a second
    padded        rows are padded, which those of the emulated camera are not: noise in an image of pylon's own class. What is
                  written down is without the padding
    FORMAT        pictures are in this packed format, which it has not either. What is written down is what pylon unpacks from
                  them, 16 bits a pixel
"""

import os
import random
import runpy
import sys
import time

from pypylon import pylon

FOLDER, SCENE = sys.argv[1:3]
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples_cameras", "pypylon_camera.py")
NOISE = random.Random(1)
pixels = open(os.path.join(FOLDER, "pixels"), "wb", buffering=0)
told = open(os.path.join(FOLDER, "told"), "w", buffering=1, encoding="ascii")
retrieve, stop = pylon.InstantCamera.RetrieveResult, pylon.InstantCamera.StopGrabbing
came = 0


class Changed:
    """A result of the camera's, but for what the emulated one has not."""

    def __init__(self, result):
        self.result = result

    def __getattr__(self, name):
        return getattr(self.result, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.result.Release()


class Stamped(Changed):
    def __init__(self, result):
        super().__init__(result)
        self.TimeStamp = 2 * time.monotonic_ns()


class Drawn(Changed):
    def __init__(self, result, pixel_type, padding):
        super().__init__(result)
        self.image = pylon.PylonImage.Create(pixel_type, result.Width, result.Height, padding)
        self.image.GetMemoryView()[:] = NOISE.randbytes(self.image.GetImageSize())
        self.PixelType = self.image.GetPixelType()
        self.GetStride, self.GetImageMemoryView = self.image.GetStride, self.image.GetMemoryView

    def GetImageBuffer(self):
        _, stride = self.GetStride()
        rows = [bytes(self.GetImageMemoryView()[y * stride :][: self.Width]) for y in range(self.Height)]
        return b"".join(rows) if SCENE == "padded" else self.image.GetArray().tobytes()


def happen(camera):
    if SCENE == "failed":
        camera.ForceFailedBufferCount.Value = 3
        camera.ForceFailedBuffer.Execute()
    elif SCENE == "skipped":
        retrieve(camera, 5000).Release()
    elif SCENE == "lost":
        camera.StreamGrabber.ImposedError.Value = "the cable is out"
    elif SCENE == "gone":
        camera.DestroyDevice()


def witness(camera, *arguments):
    global came
    came += 1
    if came == 10:
        happen(camera)
    if SCENE == "slow":
        time.sleep(0.03)
    result = retrieve(camera, *arguments)
    if result.IsValid():
        if SCENE == "padded":
            result = Drawn(result, pylon.PixelType_Mono8, 7)
        elif hasattr(pylon, f"PixelType_{SCENE}"):
            result = Drawn(result, getattr(pylon, f"PixelType_{SCENE}"), 0)
        elif SCENE == "ticks":
            result = Stamped(result)
        picture = bytes(result.GetImageBuffer())
        pixels.write(picture)
        print(result.BlockID, int(result.GrabSucceeded()), time.time_ns(), len(picture), file=told)
    return result


def stopped(camera):
    print("left", camera.NumReadyBuffers.Value, file=told)
    stop(camera)


pylon.InstantCamera.RetrieveResult, pylon.InstantCamera.StopGrabbing = witness, stopped
sys.argv[:3] = [PROGRAM]
runpy.run_path(PROGRAM, run_name="__main__")
