//! The ratios as a picture: how many times better than what stands beside, on one logarithmic scale.

use super::row::{Better, Row};
use super::table::{Table, figure};
use std::fmt::Write;

const ROW: f64 = 18.0;
const TOP: f64 = 64.0;
const LEFT: f64 = 12.0;
const LABELS: f64 = 480.0;
const SCALE: f64 = 520.0;
const RIGHT: f64 = 70.0;

/// The scale's ends: 64 times worse, 64 times better.
const MOST: f64 = 64.0;

const BLACK: &str = "#000";
const GREY: &str = "#666";
const PALE: &str = "#ddd";
const POINT: &str = "#048";
const SPREAD: &str = "#69c";
const REACH: &str = "#c60";

/// An SVG with a line for each row that has a ratio: a point at its median, a bar over its spread, a mark at the place to reach.
pub fn draw(table: &Table) -> String {
    let rows: Vec<&Row> = table.rows().iter().filter(|row| row.ratio().is_some()).collect();
    let parts: Vec<&[&Row]> = rows.chunk_by(|one, next| one.part == next.part).collect();
    let bottom = TOP + ROW * (rows.len() + parts.len()) as f64;
    let mut drawing = Drawing::new(LABELS + SCALE + RIGHT, bottom + 16.0);

    drawing.text(LEFT, 20.0, BLACK, "How many times better than what stands beside it");
    drawing.text(LEFT, 36.0, GREY, table.machine());
    for (at, colour, what) in
        [(0.0, POINT, "point: median"), (100.0, SPREAD, "bar: of the repetitions"), (250.0, REACH, "mark: to reach")]
    {
        drawing.text(LABELS + at, 20.0, colour, what);
    }
    for power in -6..=6_i32 {
        let times = 2f64.powi(power);
        let at = place(times);
        drawing.line((at, TOP), (at, bottom), if power == 0 { GREY } else { PALE }, 1.0);
        let label = if power < 0 { format!("1/{}", 1.0 / times) } else { times.to_string() };
        drawing.text(at - 4.0, TOP - 6.0, GREY, &label);
    }
    let mut y = TOP + ROW / 2.0;
    for part in parts {
        drawing.text(LEFT, y + 4.0, GREY, part[0].part);
        for row in part {
            y += ROW;
            draw_row(&mut drawing, y, row);
        }
        y += ROW;
    }
    drawing.finish()
}

fn draw_row(drawing: &mut Drawing, y: f64, row: &Row) {
    let Some((ratio, (beside, _))) = row.ratio().zip(row.other()) else { return };
    let place_of = |ratio| place(times_better(row, ratio));
    drawing.text(2.0 * LEFT, y + 4.0, BLACK, &format!("{}, {}, beside {beside}", row.case, row.measure));
    if let Some((least, most)) = row.spread() {
        drawing.line((place_of(least), y), (place_of(most), y), SPREAD, 3.0);
    }
    if let Some(reach) = row.reach {
        drawing.line((place_of(reach), y - 7.0), (place_of(reach), y + 7.0), REACH, 2.0);
    }
    drawing.point(place_of(ratio), y, POINT);
    drawing.text(LABELS + SCALE + LEFT, y + 4.0, BLACK, &figure(times_better(row, ratio)));
}

fn times_better(row: &Row, ratio: f64) -> f64 {
    if row.better == Better::More { ratio } else { 1.0 / ratio }
}

/// Where on the scale.
fn place(times: f64) -> f64 {
    let part = times.clamp(1.0 / MOST, MOST).ln() / MOST.ln();
    LABELS + SCALE * (part + 1.0) / 2.0
}

/// SVG, as far as it is needed here.
struct Drawing(String);

impl Drawing {
    fn new(width: f64, height: f64) -> Drawing {
        let size = format!(r#"viewBox="0 0 {width} {height}" width="{width}" height="{height}""#);
        let mut drawing = Drawing(String::new());
        drawing.add(format!(r#"<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">"#));
        drawing.add(format!(r##"<rect width="{width}" height="{height}" fill="#fff"/>"##));
        drawing
    }

    fn add(&mut self, element: String) {
        writeln!(self.0, "{element}").expect("a String takes it");
    }

    fn text(&mut self, x: f64, y: f64, colour: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.add(format!(r#"<text x="{x:.1}" y="{y:.1}" fill="{colour}">{text}</text>"#));
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str, width: f64) {
        let ends = format!(r#"x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}""#);
        self.add(format!(r#"<line {ends} stroke="{colour}" stroke-width="{width}"/>"#));
    }

    fn point(&mut self, x: f64, y: f64, colour: &str) {
        self.add(format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{colour}"/>"#));
    }

    fn finish(mut self) -> String {
        self.add("</svg>".to_owned());
        self.0
    }
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
