//! One line of the table: a thing that was measured, the library's beside another's.

use super::samples::{median, range};
use serde_json::{Value, json};

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Less,
    More,
}

pub struct Row {
    pub part: &'static str,
    /// Of what: the frames, the threads.
    pub case: String,
    /// What was measured, with its unit.
    pub measure: String,
    pub better: Better,
    /// The library's, one value a repetition.
    ours: Vec<f64>,
    beside: Option<Beside>,
    /// Where the ratio should be, or without anything beside it, the value.
    pub reach: Option<f64>,
}

/// What a user would take instead, or a limit. Measured in turns with ours: values of one repetition belong together.
struct Beside {
    name: String,
    values: Vec<f64>,
}

impl Row {
    pub fn new(part: &'static str, case: impl Into<String>, measure: impl Into<String>, better: Better) -> Row {
        let (case, measure) = (case.into(), measure.into());
        Row { part, case, measure, better, ours: Vec::new(), beside: None, reach: None }
    }

    pub fn ours(mut self, values: Vec<f64>) -> Row {
        self.ours = values;
        self
    }

    pub fn beside(mut self, name: &str, values: Vec<f64>) -> Row {
        self.beside = Some(Beside { name: name.to_owned(), values });
        self
    }

    pub fn reach(mut self, place: impl Into<Option<f64>>) -> Row {
        self.reach = place.into();
        self
    }

    pub fn value(&self) -> f64 {
        median(&self.ours)
    }

    /// Its name and median.
    pub fn other(&self) -> Option<(&str, f64)> {
        self.beside.as_ref().map(|beside| (beside.name.as_str(), median(&beside.values)))
    }

    /// Ours by the other's, the median of the repetitions'.
    pub fn ratio(&self) -> Option<f64> {
        let ratios = self.ratios();
        (!ratios.is_empty()).then(|| median(&ratios))
    }

    /// The least and the greatest ratio of a repetition, if there were several.
    pub fn spread(&self) -> Option<(f64, f64)> {
        range(&self.ratios()).filter(|_| self.ours.len() > 1)
    }

    fn ratios(&self) -> Vec<f64> {
        let others = self.beside.iter().flat_map(|beside| &beside.values);
        self.ours.iter().zip(others).map(|(ours, other)| ours / other).filter(|ratio| ratio.is_finite()).collect()
    }

    /// `<= 2`, or nothing.
    pub fn reach_told(&self) -> String {
        let sign = if self.better == Better::Less { "<=" } else { ">=" };
        self.reach.map(|place| format!("{sign} {place}")).unwrap_or_default()
    }

    /// Whether it is there; nothing when there is no such place.
    pub fn is_reached(&self) -> Option<bool> {
        let value = if self.beside.is_some() { self.ratio()? } else { self.value() };
        self.reach.map(|place| if self.better == Better::Less { value <= place } else { value >= place })
    }

    /// Whether anything was measured.
    pub fn has_values(&self) -> bool {
        !self.ours.is_empty()
    }

    pub fn json(&self) -> Value {
        json!({
            "part": self.part,
            "case": self.case,
            "measure": self.measure,
            "better": if self.better == Better::Less { "less" } else { "more" },
            "library": self.value(),
            "beside": self.other().map(|(name, value)| json!({ "name": name, "value": value })),
            "ratio": self.ratio(),
            "spread": self.spread(),
            "reach": self.reach,
            "reached": self.is_reached(),
            "repetitions": self.ours.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_made_within_a_repetition() {
        // The machine was twice as slow in the second repetition: the ratio does not notice.
        let row = Row::new("push", "frames", "p50, us", Better::Less).ours(vec![10.0, 20.0, 15.0]);
        let row = row.beside("memcpy", vec![5.0, 10.0, 5.0]).reach(2.0);
        assert_eq!(
            (row.value(), row.other(), row.ratio(), row.spread()),
            (15.0, Some(("memcpy", 5.0)), Some(2.0), Some((2.0, 3.0)))
        );
        assert_eq!((row.reach_told().as_str(), row.is_reached()), ("<= 2", Some(true)));
        assert_eq!(
            (row.reach(1.9).is_reached(), Row::new("", "", "", Better::More).ours(vec![1.0]).reach(2.0).is_reached()),
            (Some(false), Some(false))
        );
    }

    #[test]
    fn what_stands_alone_has_no_ratio() {
        let row = Row::new("footprint", "", "MB", Better::More).ours(vec![4.0]);
        assert_eq!(
            (row.value(), row.other(), row.ratio(), row.spread(), row.reach_told()),
            (4.0, None, None, None, String::new())
        );
    }

    #[test]
    fn a_ratio_to_nothing_is_none() {
        let row = Row::new("scale", "", "refused", Better::Less).ours(vec![1.0, 3.0]).beside("before", vec![0.0, 1.0]);
        assert_eq!((row.ratio(), row.spread()), (Some(3.0), Some((3.0, 3.0))));
    }

    #[test]
    fn one_repetition_has_no_spread() {
        let row = Row::new("push", "", "us", Better::Less).ours(vec![6.0]).beside("memcpy", vec![3.0]);
        assert_eq!((row.ratio(), row.spread()), (Some(2.0), None));
    }

    #[test]
    fn json_says_all_that_the_table_says() {
        let row =
            Row::new("through", "real", "MB/s", Better::More).ours(vec![6.0, 8.0]).beside("peer", vec![3.0, 2.0]).reach(2.0);
        assert_eq!(
            row.json(),
            json!({
                "part": "through", "case": "real", "measure": "MB/s", "better": "more", "library": 7.0,
                "beside": { "name": "peer", "value": 2.5 }, "ratio": 3.0, "spread": [2.0, 4.0], "reach": 2.0, "reached": true,
                "repetitions": 2,
            })
        );
        let alone = Row::new("footprint", "", "MB", Better::Less).ours(vec![2.5]).json();
        assert_eq!((&alone["beside"], &alone["ratio"], &alone["spread"]), (&Value::Null, &Value::Null, &Value::Null));
    }
}
