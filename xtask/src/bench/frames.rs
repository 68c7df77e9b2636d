//! The frames: real ones where they lie, and simulated noisy ones, the same each time.

use anyhow::{Context, Result, ensure};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder of the real ones; by default `../shared/data` from the project's root.
const FOLDER_VARIABLE: &str = "RHEED_BENCH_FRAMES";

/// 26 frames of 8 bits, taken while Sb was deposited: dark, with few bright spots, and little noise.
const REAL: &str = "sb_deposition_26x1038x1388.u8";
const REAL_SIZE: (u32, u32, u32) = (1388, 1038, 26);

/// A file of frames, 8 bits a pixel, one after another.
pub struct Frames {
    /// As the table names them.
    pub name: String,
    path: PathBuf,
    pub width: u32,
    pub height: u32,
    pub count: u32,
}

impl Frames {
    pub fn frame_bytes(&self) -> usize {
        self.width as usize * self.height as usize
    }

    pub fn read(&self) -> Result<Vec<u8>> {
        fs::read(&self.path).with_context(|| self.path.display().to_string())
    }

    /// Tells a program of bench/ where they are.
    pub fn give<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let (width, height) = (self.width.to_string(), self.height.to_string());
        command.arg("--frames").arg(&self.path).args(["--width", &width, "--height", &height])
    }
}

pub struct Stock {
    folder: PathBuf,
    real: Option<PathBuf>,
}

impl Stock {
    /// Simulated ones are put into `folder` when they are first asked for.
    pub fn open(root: &Path, folder: &Path) -> Result<Stock> {
        fs::create_dir_all(folder)?;
        let named = env::var_os(FOLDER_VARIABLE).map(PathBuf::from);
        let real = named.clone().unwrap_or_else(|| root.join("../shared/data")).join(REAL);
        ensure!(named.is_none() || real.is_file(), "{FOLDER_VARIABLE} names a folder without {REAL}");
        Ok(Stock { folder: folder.to_owned(), real: real.is_file().then_some(real) })
    }

    /// What a reader of the table must know.
    pub fn told(&self) -> &'static str {
        match self.real {
            Some(_) => "\"real\" frames were taken while Sb was deposited on Si(111); \"noisy\" ones are simulated",
            None => "all frames are simulated: the real ones were not found (RHEED_BENCH_FRAMES names their folder)",
        }
    }

    /// And of the noise.
    pub const NOISE: &str = "of the simulated noise zstd's level 3, which the vendor's client uses, makes no less than level 1: MB sent \
                             and CPU beside that client are for such noise";

    /// The real ones, or what stands in for them.
    pub fn real(&self) -> Result<Frames> {
        let (width, height, count) = REAL_SIZE;
        match &self.real {
            Some(path) => Ok(Frames { name: format!("real {width}x{height}"), path: path.clone(), width, height, count }),
            None => self.simulated(&format!("simulated {width}x{height}"), width, height, count, Noise::QUIET),
        }
    }

    pub fn noisy(&self, width: u32, height: u32, count: u32) -> Result<Frames> {
        self.simulated(&format!("noisy {width}x{height}"), width, height, count, Noise::of(width))
    }

    fn simulated(&self, name: &str, width: u32, height: u32, count: u32, noise: Noise) -> Result<Frames> {
        let file = format!("{}_{}_{count}x{height}x{width}.u8", noise.dark, noise.deviation);
        let path = self.folder.join(file);
        if !path.is_file() {
            let fresh = path.with_extension("new");
            fs::write(&fresh, simulate(width, height, count, noise))?;
            fs::rename(fresh, &path)?;
        }
        Ok(Frames { name: name.to_owned(), path, width, height, count })
    }
}

/// What a camera adds to a picture, in grey levels.
#[derive(Clone, Copy)]
struct Noise {
    /// The level of a dark pixel.
    dark: f32,
    /// Of the readout, a Gaussian's standard deviation. Shot noise comes on top where it is bright.
    deviation: f32,
}

impl Noise {
    /// Like the real frames.
    const QUIET: Noise = Noise { dark: 5.0, deviation: 0.4 };

    /// Small frames are those of fast cameras, with little light in each: zstd level 1 makes 1 of 1.66, of others 1 of 2.16.
    fn of(width: u32) -> Noise {
        if width <= 512 { Noise { dark: 30.0, deviation: 5.7 } } else { Noise { dark: 20.0, deviation: 2.8 } }
    }
}

/// Diffraction spots (place in parts of the picture, brightness), the first of which oscillates while a crystal grows.
const SPOTS: [(f32, f32, f32); 5] =
    [(0.50, 0.65, 150.0), (0.32, 0.60, 80.0), (0.68, 0.60, 80.0), (0.20, 0.50, 40.0), (0.80, 0.50, 40.0)];
const FRAMES_A_LAYER: f32 = 60.0;

fn simulate(width: u32, height: u32, count: u32, noise: Noise) -> Vec<u8> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut pixels = Vec::with_capacity(width as usize * height as usize * count as usize);
    // A Gaussian along each axis makes a round spot of two.
    let radius = 0.02 * width as f32 + 1.0;
    let along = |length: u32, at: f32| -> Vec<f32> {
        let away = |place: u32| (place as f32 - at * length as f32) / radius;
        (0..length).map(|place| (-away(place) * away(place)).exp()).collect()
    };
    let spots = SPOTS.map(|(x, y, brightness)| (along(width, x), along(height, y), brightness));
    let mut light = vec![0.0; width as usize];
    for frame in 0..count {
        let layer = (frame as f32 / FRAMES_A_LAYER * std::f32::consts::TAU).cos();
        for row in 0..height as usize {
            light.fill(0.0);
            for (number, (columns, rows, brightness)) in spots.iter().enumerate() {
                let brightness = brightness * rows[row] * if number == 0 { 0.7 + 0.3 * layer } else { 1.0 };
                if brightness > 0.1 {
                    light.iter_mut().zip(columns).for_each(|(light, column)| *light += brightness * column);
                }
            }
            // A grey level is one electron more or less: bright pixels spread as their light's square root.
            let spread = |light: f32| if light > 0.1 { (noise.deviation.powi(2) + light).sqrt() } else { noise.deviation };
            pixels.extend(light.iter().map(|light| (noise.dark + light + spread(*light) * random.gaussian() + 0.5) as u8));
        }
    }
    pixels
}

/// xorshift64 (Marsaglia 2003): what comes out is the same everywhere, and for ever.
struct Random(u64);

impl Random {
    /// Nearly: the sum of four numbers of 16 bits, which lies within 3.5 standard deviations.
    fn gaussian(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let sum: u32 = (0..4).map(|part| (self.0 >> (16 * part)) as u32 & 0xFFFF).sum();
        const DEVIATION: f32 = 37837.0; // 65536 * sqrt(4 / 12)
        (sum as f32 - 131_070.0) / DEVIATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noisy_frames_are_as_hard_to_compress_as_a_noisy_cameras() {
        for (width, height, wanted) in [(500, 300, 1.66), (1024, 1024, 2.16)] {
            let pixels = simulate(width, height, 1, Noise::of(width));
            let ratio = pixels.len() as f64 / zstd::bulk::compress(&pixels, 1).unwrap().len() as f64;
            assert!((ratio / wanted - 1.0).abs() < 0.02, "{width} x {height}: {ratio:.3}, not {wanted}");
        }
    }

    #[test]
    fn frames_are_the_same_each_time_and_differ_from_one_to_the_next() {
        let pixels = simulate(64, 48, 2, Noise::of(64));
        assert_eq!(pixels, simulate(64, 48, 2, Noise::of(64)));
        let (first, second) = pixels.split_at(64 * 48);
        assert_ne!(first, second);
    }
}
