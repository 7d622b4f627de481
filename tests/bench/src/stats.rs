//! Medians, quantiles and their spread.

/// The quantile of the samples at `share`; NaN without samples.
pub fn quantile(samples: &[f64], share: f64) -> f64 {
    let [quantile] = quantiles(samples.to_vec(), [share]);
    quantile
}

/// The quantiles of the samples at each share; NaN without samples.
pub fn quantiles<const N: usize>(mut samples: Vec<f64>, shares: [f64; N]) -> [f64; N] {
    samples.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in the list"
    )]
    let index = |share: f64| ((samples.len().saturating_sub(1)) as f64 * share).round() as usize;
    shares.map(|share| samples.get(index(share)).copied().unwrap_or(f64::NAN))
}

/// The median.
pub fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The bounds of the middle half of the samples.
pub fn middle_half(samples: &[f64]) -> (f64, f64) {
    (quantile(samples, 0.25), quantile(samples, 0.75))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let samples = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(median(&samples).to_bits(), 3.0_f64.to_bits());
        assert_eq!(quantile(&samples, 0.99).to_bits(), 5.0_f64.to_bits());
        assert_eq!(middle_half(&samples), (2.0, 4.0));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn rare_samples_are_in_the_last_quantiles() {
        // Two of a thousand.
        let samples = (0..1_000).map(|n| if n % 500 == 7 { 9.0 } else { 1.0 });
        let found = quantiles(samples.collect(), [0.5, 0.9, 0.99, 0.999]);
        assert_eq!(
            found.map(f64::to_bits),
            [1.0, 1.0, 1.0, 9.0].map(f64::to_bits)
        );
    }
}
