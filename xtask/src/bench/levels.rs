//! `compression_level = auto` beside level 1: while frames come faster than they can be taken, and at leisure.

use super::Site;
use super::push::{self, Camera, Turn};
use super::row::{Better, Row};
use super::table::Table;
use anyhow::Result;

pub const NAME: &str = "levels";

pub fn measure(site: &Site, table: &mut Table) -> Result<()> {
    let frames = site.frames.real()?;
    let refused: fn(&Turn) -> f64 = |turn| turn.refused;
    let bytes_a_frame: fn(&Turn) -> f64 = |turn| turn.sent_bytes / turn.push.len() as f64;
    let cases = [
        ("more than can be taken", 5000, vec![("frames refused", refused), ("bytes a frame", bytes_a_frame)]),
        ("at leisure, 60 fps", 60, vec![("bytes a frame", bytes_a_frame)]),
    ];
    for (case, fps, measures) in cases {
        let camera = Camera { frames: &frames, fps, threads: 1, flat_out: false, seconds: site.length.pick(1.0, 3.0) };
        let play = |level: &str| push::run(site, &camera, &["--copies", "0", &format!("compression_level={level}")]);
        let (mut auto, mut one) = (Vec::new(), Vec::new());
        for _ in 0..site.length.pick(1, 5) {
            auto.push(play("auto")?);
            one.push(play("1")?);
        }
        for (measure, quantity) in measures {
            let of = |turns: &[Turn]| turns.iter().map(quantity).collect();
            let row = Row::new(NAME, format!("{}, {case}", frames.name), measure, Better::Less);
            table.add(row.ours(of(&auto)).beside("level 1", of(&one)));
        }
    }
    Ok(())
}
