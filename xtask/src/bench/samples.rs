//! What is made of many measurements of one thing.

/// The value that so many percent of the samples do not exceed (nearest rank); not a number when there are none.
pub fn percentile(samples: &[f64], percent: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    // Less a little: 99.9 % of 1000 must not be a hair above 999.
    let rank = (percent / 100.0 * sorted.len() as f64 - 1e-6).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// A percentile of each repetition, if each has samples enough for it; else of all of them together; else none. Enough are ten beyond
/// it. The maximum is always that of all.
pub fn percentiles(repetitions: &[Vec<f64>], percent: f64) -> Vec<f64> {
    let is_enough = |samples: &Vec<f64>| samples.len() as f64 * (100.0 - percent) >= 999.999;
    if repetitions.iter().all(is_enough) {
        return repetitions.iter().map(|samples| percentile(samples, percent)).collect();
    }
    let all = repetitions.concat();
    if percent == 100.0 || is_enough(&all) { vec![percentile(&all, percent)] } else { Vec::new() }
}

/// The middle one, or the mean of the two in the middle; not a number when there are none.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => (sorted[even / 2 - 1] + sorted[even / 2]) / 2.0,
    }
}

/// The least and the greatest; nothing when there are none.
pub fn range(samples: &[f64]) -> Option<(f64, f64)> {
    let least = samples.iter().copied().min_by(f64::total_cmp)?;
    let greatest = samples.iter().copied().max_by(f64::total_cmp)?;
    Some((least, greatest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_samples() {
        let samples: Vec<f64> = (1..=1000).rev().map(f64::from).collect();
        assert_eq!([50.0, 99.0, 99.9, 100.0].map(|percent| percentile(&samples, percent)), [500.0, 990.0, 999.0, 1000.0]);
        assert_eq!([50.0, 99.0, 100.0].map(|percent| percentile(&[3.0, 1.0, 2.0], percent)), [2.0, 3.0, 3.0]);
        assert_eq!(percentile(&[7.0], 0.0), 7.0);
        assert!(percentile(&[], 50.0).is_nan());
    }

    #[test]
    fn a_percentile_wants_ten_samples_beyond_it_and_a_maximum_is_of_all() {
        let repetition = |from: u32| (from..from + 500).map(f64::from).collect::<Vec<_>>();
        let two = [repetition(1), repetition(501)];
        assert_eq!(
            [50.0, 99.0, 100.0].map(|percent| percentiles(&two, percent)),
            [vec![250.0, 750.0], vec![990.0], vec![1000.0]]
        );
        assert!(percentiles(&two, 99.9).is_empty());
        assert_eq!(percentiles(&vec![repetition(1); 20], 99.9), [500.0]);
    }

    #[test]
    fn a_median_lies_in_the_middle() {
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_range_has_both_ends() {
        assert_eq!(range(&[2.0, -1.0, 5.0]), Some((-1.0, 5.0)));
        assert_eq!(range(&[]), None);
    }
}
