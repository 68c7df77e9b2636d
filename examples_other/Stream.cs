// Streams simulated frames from C#, on .NET or mono.
//
//     mcs Stream.cs && mono Stream.exe [key=value ...]
//
// Each key=value becomes a line of the stream's options (docs/options.md). Ends with 0 when no frame was lost.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

/// What the library exports. All types are blittable: nothing is converted on the way. Texts are bytes, UTF-8, ended by 0.
static class Native {
    // Windows adds .dll. On Linux it is librheed_stream.so.1: mono reads that in Stream.exe.config, .NET asks here.
    const string Library = "rheed_stream";
    const CallingConvention C = CallingConvention.Cdecl;
#if NETCOREAPP
    static Native() {
        NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, (name, assembly, path) => {
            IntPtr found = IntPtr.Zero;
            var names = new[] { "librheed_stream.so.1", name, "rheed_stream_64" };
            return Array.Exists(names, known => NativeLibrary.TryLoad(known, assembly, path, out found)) ? found : IntPtr.Zero;
        });
    }
#endif

    [DllImport(Library, CallingConvention = C)] public static extern int rheed_abi();
    [DllImport(Library, CallingConvention = C)] public static extern IntPtr rheed_strerror(int code);
    [DllImport(Library, CallingConvention = C)]
    public static extern int rheed_init(byte[] options, out ulong stream, byte[] message, int message_size);
    [DllImport(Library, CallingConvention = C)]
    public static extern int rheed_push(ulong stream, byte[] pixels, ulong size_bytes, uint width, uint height, uint stride_bytes,
                                        uint pixel_format, ulong frame_id, long timestamp_ns, uint flags);
    [DllImport(Library, CallingConvention = C)]
    public static extern int rheed_next_event(ulong stream, int timeout_ms, out int kind, out long time_ns, out long value,
                                              byte[] buffer, int size, out int needed);
    [DllImport(Library, CallingConvention = C)]
    public static extern int rheed_stats(ulong stream, long[] values, int count, out int needed);
    [DllImport(Library, CallingConvention = C)]
    public static extern int rheed_text(ulong stream, int which, byte[] buffer, int size, out int needed);
    [DllImport(Library, CallingConvention = C)]
    public static extern int rheed_region_set(ulong stream, int region, uint x, uint y, uint width, uint height);
    [DllImport(Library, CallingConvention = C)]
    public static extern int rheed_region_read(ulong stream, int region, ref ulong position, long[] times_ns, ulong[] frame_ids,
                                               uint[] flags, double[] means, int[] maxima, long[] sums, int capacity,
                                               out int count, out long missed);
    [DllImport(Library, CallingConvention = C)] public static extern int rheed_finalize(ulong stream, int timeout_ms);
    [DllImport(Library, CallingConvention = C)] public static extern int rheed_free(ulong stream);
}

class RheedException : Exception {
    public readonly int Code;
    public RheedException(int code, string words) : base(words + " (code " + code + ")") { Code = code; }
}

/// An open stream. Disposed of without Finish, it still uploads what it took.
sealed class RheedStream : IDisposable {
    // The numbers of rheed_stream.h that this program needs.
    public const int Abi = 1, Pending = 1, QueueFull = -5, DiskFull = -11, TextStatus = 3, TextLastError = 4;
    public const int Accepted = 2, Confirmed = 3, InSpool = 4, Lost = 5, Stats = 24;
    const uint Mono8 = 0x01080001, Incomplete = 1;

    readonly ulong handle;
    public readonly string Remark;

    public RheedStream(string options) {
        if (Native.rheed_abi() != Abi) throw new InvalidOperationException("this program knows interface " + Abi);
        var message = new byte[1024];
        int code = Native.rheed_init(Encoding.UTF8.GetBytes(options + "\0"), out handle, message, message.Length);
        Remark = TextIn(message);
        if (code < 0) throw new RheedException(code, Remark != "" ? Remark : Words(code));
    }

    public void Dispose() { Native.rheed_free(handle); }

    /// Whether the frame was taken. One that finds no room is counted by the library; the camera goes on.
    public bool Push(byte[] pixels, uint width, uint height, ulong frameId) {
        int code = Native.rheed_push(handle, pixels, (ulong)pixels.Length, width, height, 0, Mono8, frameId, 0, 0);
        if (code == QueueFull || code == DiskFull) return false;
        return Check(code) == 0;
    }

    /// The lines of the events that wait now.
    public IEnumerable<string> Events() {
        var text = new byte[1024];
        for (;;) {
            int kind, needed; long time, value;
            Check(Native.rheed_next_event(handle, 0, out kind, out time, out value, text, text.Length, out needed));
            if (kind == 0) yield break;
            yield return TextIn(text);
        }
    }

    public long[] GetStats() {
        var values = new long[Stats];
        int needed;
        Check(Native.rheed_stats(handle, values, values.Length, out needed));
        return values;
    }

    public void SetRegion(int region, uint x, uint y, uint width, uint height) {
        Check(Native.rheed_region_set(handle, region, x, y, width, height));
    }

    /// Readings newer than `position`, which is 0 at first and goes on: Unix seconds and the mean of each whole frame.
    public List<KeyValuePair<double, double>> Readings(int region, ref ulong position) {
        const int Most = 1000;
        long[] times = new long[Most]; uint[] flags = new uint[Most]; double[] means = new double[Most];
        var readings = new List<KeyValuePair<double, double>>();
        for (int count = Most; count == Most;) {
            long missed;
            Check(Native.rheed_region_read(handle, region, ref position, times, null, flags, means, null, null, Most, out count,
                                           out missed));
            for (int at = 0; at < count; at++)
                if ((flags[at] & Incomplete) == 0) readings.Add(new KeyValuePair<double, double>(times[at] * 1e-9, means[at]));
        }
        return readings;
    }

    public string Text(int which) {
        var text = new byte[1024];
        int needed;
        Native.rheed_text(handle, which, text, text.Length, out needed);
        return TextIn(text);
    }

    /// Takes no more frames and waits for the last uploads.
    public int Finish(int timeoutMs) { return Check(Native.rheed_finalize(handle, timeoutMs)); }

    int Check(int code) {
        if (code >= 0) return code;
        string words = Text(TextLastError);
        throw new RheedException(code, words != "" ? words : Words(code));
    }

    static string Words(int code) { return Marshal.PtrToStringAnsi(Native.rheed_strerror(code)); }

    static string TextIn(byte[] buffer) { return Encoding.UTF8.GetString(buffer, 0, Array.IndexOf(buffer, (byte)0)); }
}

static class Program {
    const uint Width = 320, Height = 240;
    const int Fps = 60, Frames = 90;

    /// A simulated frame: bytes, row by row.
    static byte[] Picture(int index) {
        var pixels = new byte[Width * Height];
        for (int row = 0; row < Height; row++)
            for (int column = 0; column < Width; column++) pixels[row * Width + column] = (byte)(3 * row + column + 7 * index);
        return pixels;
    }

    static int Main(string[] arguments) {
        try {
            using (var stream = new RheedStream("fps = " + Fps + "\n" + string.Join("\n", arguments))) return Play(stream);
        } catch (RheedException error) {
            Console.Error.WriteLine("error: " + error.Message);
            return 1;
        }
    }

    static void ShowSpot(RheedStream stream, ref ulong position) {
        foreach (var reading in stream.Readings(0, ref position))
            Console.WriteLine(FormattableString.Invariant($"spot: {reading.Key:F3} s {reading.Value:F2}"));
    }

    static int Play(RheedStream stream) {
        if (stream.Remark != "") Console.WriteLine(stream.Remark);
        stream.SetRegion(0, Width / 2 - 10, Height / 2 - 10, 20, 20); // Around the spot.
        ulong position = 0;
        var clock = Stopwatch.StartNew();
        for (int index = 0; index < Frames; index++) {
            var pixels = Picture(index);
            long early = 1000L * index / Fps - clock.ElapsedMilliseconds;
            if (early > 0) Thread.Sleep((int)early);
            stream.Push(pixels, Width, Height, (ulong)index);
            foreach (string told in stream.Events()) Console.WriteLine("event: " + told);
            if (index % 15 == 14) ShowSpot(stream, ref position); // A few times a second.
        }
        int ended = stream.Finish(60000);
        foreach (string told in stream.Events()) Console.WriteLine("event: " + told);
        ShowSpot(stream, ref position);
        long[] stats = stream.GetStats();
        long taken = stats[RheedStream.Accepted], lost = stats[RheedStream.Lost];
        Console.WriteLine(stream.Text(RheedStream.TextStatus));
        Console.WriteLine(taken + " taken, " + stats[RheedStream.Confirmed] + " confirmed, " + lost + " lost");
        if (ended == RheedStream.Pending)
            Console.WriteLine(stats[RheedStream.InSpool] + " frames are in the spool: the next stream there sends them");
        return taken == Frames && lost == 0 ? 0 : 1;
    }
}
