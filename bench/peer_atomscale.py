"""The vendor's client, pushing the same frames to the same server: what it takes to bring them there, and how long a chunk waits.

A chunk is confirmed when the client counts it as uploaded. With `--rate`, a chunk is pushed when a camera has taken its last
frame, and the next when it is confirmed."""

import os
import time

from peer import answer, arguments, chunk_at, cpu_ns, forget_peak, load_frames, memory

from atomscale.streaming import RHEEDStreamer

given = arguments()
frames = load_frames(given)
resident = memory("VmRSS")
forget_peak()

client = RHEEDStreamer(api_key=os.environ["AS_API_KEY"], endpoint=os.environ["AS_API_ENDPOINT"], spool_dir=given.folder, verbosity=0)
data_id = client.initialize(fps=given.chunk / 2, rotations_per_min=0.0, chunk_size=given.chunk)


def await_confirmation(number):
    while True:
        status = client.spool_status()
        assert status["chunks_dropped"] == status["chunks_failed"] == 0, status
        if status["chunks_uploaded"] > number:
            return
        time.sleep(0.0005)


push_ns, latency_ns = [], []
cpu_before, begin = cpu_ns(), time.monotonic_ns()
for number in range(given.chunks):
    chunk = chunk_at(frames, number, given.chunk)
    if given.rate:
        time.sleep(max(0, (number + 1) * given.chunk / given.rate - (time.monotonic_ns() - begin) * 1e-9))
    called = time.monotonic_ns()
    client.push(data_id, number, chunk)
    push_ns.append(time.monotonic_ns() - called)
    if given.rate:
        await_confirmation(number)
        latency_ns.append(time.monotonic_ns() - called)
report = client.finalize(data_id)
took, cpu = time.monotonic_ns() - begin, cpu_ns() - cpu_before

assert report["chunks_uploaded"] == given.chunks, report
answer(
    took_ns=took,
    cpu_ns=cpu,
    raw_bytes=given.chunk * given.chunks * given.width * given.height,
    grown_bytes=memory("VmHWM") - resident,
    push_ns=push_ns,
    latency_ns=latency_ns,
)
