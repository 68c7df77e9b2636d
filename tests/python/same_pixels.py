"""Ends with 0 if the array, read by zarr-python alone, has exactly the bytes of the file: same_pixels.py ARRAY_FOLDER FILE."""

import sys

import zarr

array_folder, file = sys.argv[1:]
pixels = zarr.open_array(array_folder, mode="r")[:]
with open(file, "rb") as expected:
    if pixels.tobytes() != expected.read():
        sys.exit(f"{array_folder}, {pixels.shape} {pixels.dtype}, differs from {file}")
