//! Sampling from a k-DPP: a random set of exactly k points, likelier the more these differ from each other.
//!
//! After A. Kulesza and B. Taskar, "k-DPPs: Fixed-Size Determinantal Point Processes", ICML 2011: eigenvectors of the kernel are chosen
//! by elementary symmetric polynomials of its eigenvalues, then points by what is left of the space that those span.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rand::{Rng, RngExt};

/// The likeness of points, 1 for the same one: a Gaussian of their distance.
#[must_use]
pub fn kernel(points: &[Vec<f64>], width: f64) -> DMatrix<f64> {
    DMatrix::from_fn(points.len(), points.len(), |row, column| {
        let pairs = points[row].iter().zip(&points[column]);
        let distance: f64 = pairs.map(|(one, other)| (one - other).powi(2)).sum();
        (-distance / (2.0 * width * width)).exp()
    })
}

/// `polynomials[(l, n)]`: the sum of all products of l of the first n values.
fn elementary(values: &DVector<f64>, k: usize) -> DMatrix<f64> {
    let mut sums = DMatrix::zeros(k + 1, values.len() + 1);
    sums.row_mut(0).fill(1.0);
    for l in 1..=k {
        for n in 1..=values.len() {
            sums[(l, n)] = sums[(l, n - 1)] + values[n - 1] * sums[(l - 1, n - 1)];
        }
    }
    sums
}

/// Samples k points, by their numbers in rising order; `None` when the kernel does not have k that differ.
pub fn sample(kernel: &DMatrix<f64>, k: usize, random: &mut impl Rng) -> Option<Vec<usize>> {
    let SymmetricEigen {
        eigenvectors,
        eigenvalues,
    } = SymmetricEigen::new(kernel.clone());
    // rounding makes some of them a little less than nothing
    let values = eigenvalues.map(|value| if value > 1e-12 { value } else { 0.0 });
    let sums = elementary(&values, k);
    if sums[(k, values.len())] <= 0.0 {
        return None;
    }
    let mut chosen = Vec::new();
    let mut left = k;
    for n in (1..=values.len()).rev() {
        if left == 0 {
            break;
        }
        let probability = values[n - 1] * sums[(left - 1, n - 1)] / sums[(left, n)];
        if random.random::<f64>() < probability {
            chosen.push(eigenvectors.column(n - 1).into_owned());
            left -= 1;
        }
    }
    points(chosen, random)
}

/// Points by the span of some vectors: one for each, which the span then has no more of.
fn points(mut span: Vec<DVector<f64>>, random: &mut impl Rng) -> Option<Vec<usize>> {
    let mut numbers = Vec::with_capacity(span.len());
    while !span.is_empty() {
        let count = span[0].len();
        let weights: Vec<f64> = (0..count)
            .map(|point| span.iter().map(|vector| vector[point].powi(2)).sum())
            .collect();
        let mut left = random.random::<f64>() * weights.iter().sum::<f64>();
        let point = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        let point = point.or_else(|| (0..count).rev().find(|point| weights[*point] > 0.0))?;
        numbers.push(point);
        span = without(span, point);
    }
    numbers.sort_unstable();
    Some(numbers)
}

/// The part of a span that is nothing at a point, as vectors at right angles.
fn without(mut span: Vec<DVector<f64>>, point: usize) -> Vec<DVector<f64>> {
    let largest = (0..span.len()).max_by(|one, other| {
        let (one, other) = (span[*one][point].abs(), span[*other][point].abs());
        one.total_cmp(&other)
    });
    let Some(largest) = largest else {
        return span;
    };
    let pivot = span.swap_remove(largest);
    for vector in &mut span {
        let share = vector[point] / pivot[point];
        *vector -= &pivot * share;
    }
    let mut straight: Vec<DVector<f64>> = Vec::with_capacity(span.len());
    for mut vector in span {
        for before in &straight {
            let share = before.dot(&vector);
            vector -= before * share;
        }
        if let Some(unit) = vector.try_normalize(1e-12) {
            straight.push(unit);
        }
    }
    straight
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn grid(side: u8) -> Vec<Vec<f64>> {
        let points =
            (0..side).flat_map(|x| (0..side).map(move |y| vec![f64::from(x), f64::from(y)]));
        points.collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn it_is_k_different_points_and_the_same_for_the_same_seed(seed: u64, k in 1_usize..10) {
            let kernel = kernel(&grid(5), 1.0);
            let first = sample(&kernel, k, &mut ChaCha20Rng::seed_from_u64(seed));
            let second = sample(&kernel, k, &mut ChaCha20Rng::seed_from_u64(seed));
            prop_assert_eq!(&first, &second);
            let mut points = first.unwrap_or_default();
            prop_assert_eq!(points.len(), k);
            points.dedup();
            prop_assert_eq!(points.len(), k);
        }
    }

    #[test]
    fn the_same_point_twice_is_never_chosen_twice() {
        let twins = vec![vec![0.0], vec![0.0], vec![5.0]];
        let kernel = kernel(&twins, 1.0);
        for seed in 0..200 {
            let chosen = sample(&kernel, 2, &mut ChaCha20Rng::seed_from_u64(seed));
            assert!(
                chosen.is_some_and(|points| points.contains(&2)),
                "seed {seed}"
            );
        }
        assert_eq!(sample(&kernel, 3, &mut ChaCha20Rng::seed_from_u64(1)), None);
    }

    #[test]
    fn pairs_come_as_often_as_their_determinants_say() {
        let kernel = kernel(&[vec![0.0], vec![0.7], vec![2.5]], 1.0);
        let minor = |a: usize, b: usize| kernel[(a, a)] * kernel[(b, b)] - kernel[(a, b)].powi(2);
        let pairs = [(0, 1), (0, 2), (1, 2)];
        let sum: f64 = pairs.iter().map(|(a, b)| minor(*a, *b)).sum();
        let mut random = ChaCha20Rng::seed_from_u64(7);
        let mut counts = [0_u32; 3];
        let draws = 20_000;
        for _ in 0..draws {
            let chosen = sample(&kernel, 2, &mut random).unwrap_or_default();
            let pair = pairs.iter().position(|(a, b)| chosen == [*a, *b]);
            counts[pair.unwrap_or_default()] += 1;
        }
        for (count, (a, b)) in counts.iter().zip(pairs) {
            let (found, expected) = (f64::from(*count) / f64::from(draws), minor(a, b) / sum);
            assert!(
                (found - expected).abs() < 0.02,
                "{a},{b}: {found} for {expected}"
            );
        }
    }
}
