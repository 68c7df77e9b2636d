//! The ratios as a picture: how many times better than what stands beside, on one logarithmic scale.

use super::row::{Better, Row};
use super::table::{Table, figure};
use std::fmt::Write;

const ROW: f64 = 18.0;
const TOP: f64 = 64.0;
const LABELS: f64 = 480.0;
const SCALE: f64 = 520.0;
const RIGHT: f64 = 70.0;

/// The scale's ends: 64 times worse, 64 times better.
const MOST: f64 = 64.0;

/// An SVG with a line for each row that has a ratio: a point at its median, a line over its spread, a mark at the place to reach.
pub fn draw(table: &Table) -> String {
    let rows: Vec<&Row> = table.rows().iter().filter(|row| row.ratio().is_some()).collect();
    let (width, height) = (LABELS + SCALE + RIGHT, TOP + ROW * rows.len() as f64 + 16.0);
    let mut svg = String::new();
    let mut line = |text: std::fmt::Arguments| writeln!(svg, "{text}").expect("a String takes it");
    line(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" font-size="11">"#
    ));
    line(format_args!(r##"<rect width="{width}" height="{height}" fill="#fff"/>"##));
    line(format_args!(r#"<text x="12" y="20" font-size="14">How many times better than what stands beside it</text>"#));
    line(format_args!(r##"<text x="12" y="36" fill="#666">{}</text>"##, escaped(table.machine())));
    line(format_args!(
        r##"<text x="{LABELS}" y="20" fill="#666">point: median, <tspan fill="#69c">bar</tspan>: least and greatest of the repetitions, <tspan fill="#c60">mark</tspan>: place to reach</text>"##
    ));
    for power in -6..=6_i32 {
        let times = 2f64.powi(power);
        let (at, colour) = (place(times), if power == 0 { "#888" } else { "#ddd" });
        line(format_args!(r##"<line x1="{at:.1}" y1="{TOP}" x2="{at:.1}" y2="{:.1}" stroke="{colour}"/>"##, height - 12.0));
        let label = if power < 0 { format!("1/{}", 1.0 / times) } else { times.to_string() };
        line(format_args!(r##"<text x="{at:.1}" y="{:.1}" fill="#666" text-anchor="middle">{label}</text>"##, TOP - 6.0));
    }
    for (number, row) in rows.iter().enumerate() {
        let middle = TOP + ROW * (number as f64 + 0.5);
        let Some((ratio, (least, most))) = row.ratio().zip(row.spread()) else { continue };
        let label = escaped(&format!("{}: {}, {}", row.part, row.case, row.measure));
        let other = row.other().map_or(String::new(), |(name, _)| escaped(name));
        let [at, from, to] = [ratio, least, most].map(|ratio| place(better(row, ratio)));
        let text = middle + 4.0;
        line(format_args!(r#"<text x="12" y="{text:.1}">{label} <tspan fill="gray">/ {other}</tspan></text>"#));
        line(format_args!(
            r##"<line x1="{from:.1}" y1="{middle:.1}" x2="{to:.1}" y2="{middle:.1}" stroke="#69c" stroke-width="3"/>"##
        ));
        if let Some(reach) = row.reach {
            let (at, up, down) = (place(better(row, reach)), middle - 7.0, middle + 7.0);
            line(format_args!(
                r##"<line x1="{at:.1}" y1="{up:.1}" x2="{at:.1}" y2="{down:.1}" stroke="#c60" stroke-width="2"/>"##
            ));
        }
        line(format_args!(r##"<circle cx="{at:.1}" cy="{middle:.1}" r="4" fill="#048"/>"##));
        line(format_args!(r#"<text x="{:.1}" y="{text:.1}">{}</text>"#, LABELS + SCALE + 12.0, figure(better(row, ratio))));
    }
    line(format_args!("</svg>"));
    svg
}

/// As times better.
fn better(row: &Row, ratio: f64) -> f64 {
    if row.better == Better::More { ratio } else { 1.0 / ratio }
}

/// Where on the scale.
fn place(times: f64) -> f64 {
    let part = times.clamp(1.0 / MOST, MOST).ln() / MOST.ln();
    LABELS + SCALE * (part + 1.0) / 2.0
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Length;

    #[test]
    fn twice_as_fast_is_drawn_at_two_whichever_way_is_better() {
        let mut table = Table::new(Length::Quick);
        table.add(Row::new("push", "a < b", "us", Better::Less).ours(vec![5.0]).beside("memcpy", vec![10.0]).reach(2.0));
        table.add(Row::new("through", "real", "MB/s", Better::More).ours(vec![20.0]).beside("peer", vec![10.0]));
        table.add(Row::new("footprint", "alone", "MB", Better::Less).ours(vec![4.0]));
        let svg = draw(&table);
        let points: Vec<&str> = svg.lines().filter(|line| line.starts_with("<circle")).collect();
        assert_eq!(points.len(), 2, "{svg}");
        assert!(points.iter().all(|point| point.contains(&format!("cx=\"{:.1}\"", place(2.0)))), "{svg}");
        assert!(svg.contains("a &lt; b") && !svg.contains("alone"));
        assert_eq!(svg.matches("stroke=\"#c60\"").count(), 1);
        // At most twice of the other's is half as good.
        assert!(svg.contains(&format!("<line x1=\"{:.1}\"", place(0.5))));
    }

    #[test]
    fn the_scale_holds_everything() {
        assert_eq!([0.0, 1.0 / 64.0, 1.0, 64.0, f64::INFINITY].map(place), [480.0, 480.0, 740.0, 1000.0, 1000.0]);
    }
}
