//! All that was measured, as a table for a terminal and as JSON.

use super::Length;
use super::row::Row;
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt;
use std::fs;

pub struct Table {
    length: Length,
    machine: String,
    /// What a reader must know: what was lacking, what stood in for something.
    notes: Vec<String>,
    rows: Vec<Row>,
}

impl Table {
    pub fn new(length: Length) -> Table {
        Table { length, machine: machine(), notes: Vec::new(), rows: Vec::new() }
    }

    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// A row for which nothing was measured is left out.
    pub fn add(&mut self, row: Row) {
        if row.has_values() {
            self.rows.push(row);
        }
    }

    /// Notes why something could not be measured, so that the rest goes on.
    pub fn note_failure(&mut self, what: &str, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.note(format!("{what} is not complete: {error:#}"));
        }
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub fn machine(&self) -> &str {
        &self.machine
    }

    pub fn json(&self) -> Value {
        json!({
            "machine": self.machine,
            "quick": self.length == Length::Quick,
            "notes": self.notes,
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        writeln!(out, "{}{}", self.machine, if self.length == Length::Quick { "; quick: few repetitions" } else { "" })?;
        let mut part = "";
        for row in &self.rows {
            if row.part != part {
                part = row.part;
                writeln!(
                    out,
                    "\n{part:<42} {:<28} {:>9} {:>9} {:<18} {:>7} {:>12}  to reach",
                    "", "library", "beside", "", "ratio", "spread"
                )?;
            }
            let (name, value) = row.other().map_or((String::new(), String::new()), |(name, value)| (name.into(), figure(value)));
            let ratio = row.ratio().map(figure).unwrap_or_default();
            let spread = row.spread().map(|(least, most)| format!("{}-{}", figure(least), figure(most))).unwrap_or_default();
            let line = format!(
                "  {:<40} {:<28} {:>9} {value:>9} {name:<18} {ratio:>7} {spread:>12}  {:<8} {}",
                row.case,
                row.measure,
                figure(row.value()),
                row.reach_told(),
                if row.is_reached() == Some(false) { "not reached" } else { "" }
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        self.notes.iter().try_for_each(|note| write!(out, "\nnote: {note}"))
    }
}

/// Three digits that count.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let digits = value.abs().max(1e-3).log10().floor() as i32;
    format!("{value:.*}", (2 - digits).clamp(0, 3) as usize)
}

/// Processor, cores, and how busy it was before: ratios suffer from that too.
fn machine() -> String {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let name =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    format!("{name}, {cores} cores, load {} at the start", load.split(' ').next().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::row::Better;

    fn table() -> Table {
        let mut table = Table::new(Length::Quick);
        let row = Row::new("push", "500 x 300, paced", "p50, us", Better::Less).ours(vec![12.34, 12.36, 99.0]);
        table.add(row.beside("memcpy", vec![10.0, 10.0, 10.0]).reach(2.0));
        table.add(Row::new("footprint", "stripped", "MB", Better::Less).ours(vec![4.0]).reach(4.0));
        table.add(Row::new("footprint", "loaded", "ms", Better::Less).ours(vec![9.0]).reach(5.0));
        table.add(Row::new("footprint", "too few samples", "ms", Better::Less));
        table.note("acquire-zarr is lacking: no network");
        table
    }

    #[test]
    fn a_row_has_medians_ratio_spread_and_the_place_to_reach() {
        let text = table().to_string();
        let words = |start: &str| {
            let line = text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start:?} in\n{text}"));
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words("  500"), "500 x 300, paced p50, us 12.4 10.0 memcpy 1.24 1.23-9.90 <= 2");
        assert_eq!(words("  stripped"), "stripped MB 4.00 <= 4");
        assert_eq!(words("  loaded"), "loaded ms 9.00 <= 5 not reached");
        assert!(!text.contains("too few samples"));
        assert!(words("push").ends_with("to reach") && words("footprint").ends_with("to reach"));
        assert_eq!(text.lines().last(), Some("note: acquire-zarr is lacking: no network"));
    }

    #[test]
    fn json_has_the_rows_and_what_was_lacking() {
        let json = table().json();
        assert_eq!((&json["quick"], &json["notes"]), (&json!(true), &json!(["acquire-zarr is lacking: no network"])));
        assert!(json["machine"].as_str().is_some_and(|machine| machine.contains("cores")));
        let rows = json["rows"].as_array().unwrap();
        assert_eq!(rows.iter().map(|row| row["part"].as_str().unwrap()).collect::<Vec<_>>(), ["push", "footprint", "footprint"]);
    }

    #[test]
    fn figures_have_three_digits() {
        let told = [0.0, 0.01234, 1.0, 12.345, 123.45, 12345.6, f64::NAN].map(figure);
        assert_eq!(told, ["0.000", "0.012", "1.00", "12.3", "123", "12346", "-"]);
    }
}
