//! Searching a grid for the points that are best in two ways at once. It knows neither policies nor time: whoever calls it says
//! what a point is worth.
//!
//! A grid that is not larger than the budget is tried as a whole. Else half of the budget is spread evenly over it, by a
//! low-discrepancy sequence with a shift drawn from the seed, and the other half goes to the neighborhood of the front that
//! was found so far, in rounds. A round's points are drawn before any of them is tried, and each draw depends on the seed and
//! its place alone: how many threads try them changes nothing.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tideform_mock::world::random;

/// A place in the grid: an index for each axis.
pub type Point = Vec<u32>;

/// How many points a round has.
const ROUND: usize = 64;
/// How often a point that was tried already is drawn anew.
const TRIES: u64 = 16;
/// How many draws one point can take.
const DRAWS: u64 = 64;

/// What a point is worth. Less cost and less missing are better; all are finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// What its instances cost.
    pub cost: f64,
    /// What is missing.
    pub missing: f64,
    /// The share of time without anything missing, in percent.
    pub attainment: f64,
}

impl Score {
    /// Cost, and what is missing by its weight.
    pub fn objective(&self, weight: f64) -> f64 {
        self.cost + weight * self.missing
    }
}

/// How a grid is searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How many points are tried at most; at least one is.
    pub budget: usize,
    /// All chance comes from here.
    pub seed: u64,
    /// In so many threads; changes the time, not the answer.
    pub jobs: usize,
    /// What is missing, against cost: around the best point by this is searched most.
    pub weight: f64,
}

/// A point that was tried; without a score it cannot be.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// Where.
    pub point: Point,
    /// What it is worth.
    pub score: Option<Score>,
}

/// What a search tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// In the order of the draws; the first is where the search began.
    pub tried: Vec<Tried>,
    /// No point of the grid was left out.
    pub is_whole: bool,
}

impl Found {
    /// The points that none is better than in one way without being worse in the other, by rising cost. Of equal ones the
    /// first that was tried.
    pub fn front(&self) -> Vec<usize> {
        let mut scored: Vec<(usize, Score)> = self
            .tried
            .iter()
            .enumerate()
            .filter_map(|(place, tried)| Some((place, tried.score?)))
            .collect();
        scored.sort_by(|(a, x), (b, y)| {
            let by_cost = x.cost.total_cmp(&y.cost);
            by_cost.then(x.missing.total_cmp(&y.missing)).then(a.cmp(b))
        });
        let mut least = f64::INFINITY;
        scored.retain(|(_, score)| {
            let is_better = score.missing < least;
            least = least.min(score.missing);
            is_better
        });
        scored.into_iter().map(|(place, _)| place).collect()
    }

    /// The best by cost and weighted missing among those that a condition lets pass; of equal ones the first.
    pub fn best(&self, weight: f64, may_be: impl Fn(&Score) -> bool) -> Option<usize> {
        let scored = self.tried.iter().enumerate();
        scored
            .filter_map(|(place, tried)| Some((place, tried.score.filter(&may_be)?)))
            .min_by(|(a, x), (b, y)| {
                let by_objective = x.objective(weight).total_cmp(&y.objective(weight));
                by_objective.then(a.cmp(b))
            })
            .map(|(place, _)| place)
    }
}

/// Searches a grid of so many indices an axis from a point on. `tick` is called once for each point, from any thread.
pub fn search(
    sizes: &[u32],
    start: Point,
    options: &Options,
    evaluate: &(dyn Fn(&[u32]) -> Option<Score> + Sync),
    tick: &(dyn Fn() + Sync),
) -> Found {
    let budget = options.budget.max(1);
    let whole = sizes
        .iter()
        .try_fold(1_usize, |all, size| all.checked_mul(*size as usize))
        .filter(|all| *all <= budget);
    let mut seen: HashSet<Point> = HashSet::from([start.clone()]);
    let mut batch = vec![start.clone()];
    match whole {
        Some(_) => batch.extend(every_point(sizes).filter(|point| *point != start)),
        None => {
            let spread = (0..).map(|n| spread(sizes, options.seed, n));
            // The grid is larger than the budget, but the sequence may come back to a point.
            for point in spread.take(4 * budget) {
                if batch.len() > budget / 2 || batch.len() >= budget {
                    break;
                }
                if seen.insert(point.clone()) {
                    batch.push(point);
                }
            }
        }
    }
    let mut found = Found {
        tried: Vec::with_capacity(budget),
        is_whole: whole.is_some(),
    };
    let mut round = 0;
    while !batch.is_empty() {
        let scores = evaluate_all(&batch, options.jobs, evaluate, tick);
        let tried = batch.into_iter().zip(scores);
        found
            .tried
            .extend(tried.map(|(point, score)| Tried { point, score }));
        let left = budget.saturating_sub(found.tried.len());
        batch = if found.is_whole || left == 0 {
            Vec::new()
        } else {
            near_the_front(sizes, options, &found, round, left.min(ROUND), &mut seen)
        };
        round += 1;
    }
    found
}

/// Every point of a grid.
fn every_point(sizes: &[u32]) -> impl Iterator<Item = Point> + '_ {
    let mut next = Some(vec![0; sizes.len()]);
    std::iter::from_fn(move || {
        let point = next.clone()?;
        let mut is_over = true;
        for (index, size) in next.iter_mut().flatten().zip(sizes) {
            if *index + 1 < *size {
                *index += 1;
                is_over = false;
                break;
            }
            *index = 0;
        }
        if is_over {
            next = None;
        }
        Some(point)
    })
}

/// The n-th point of the additive sequence by powers of the generalized golden ratio, shifted by the seed.
///
/// Source: M. Roberts, "The unreasonable effectiveness of quasirandom sequences" (2018).
fn spread(sizes: &[u32], seed: u64, n: u64) -> Point {
    // The root of x^(d + 1) = x + 1.
    let axes = sizes.len() as f64;
    let ratio = (0..64).fold(2.0_f64, |x, _| (1.0 + x).powf(1.0 / (axes + 1.0)));
    let mut step = 1.0;
    (0..)
        .zip(sizes)
        .map(|(axis, size): (u64, _)| {
            step /= ratio;
            let shift = random::unit(seed, &[random::key("tune shift"), axis]);
            let share = (shift + (n + 1) as f64 * step).fract();
            ((share * f64::from(*size)) as u32).min(size.saturating_sub(1))
        })
        .collect()
}

/// Points near the front that were not tried yet.
fn near_the_front(
    sizes: &[u32],
    options: &Options,
    found: &Found,
    round: u64,
    count: usize,
    seen: &mut HashSet<Point>,
) -> Vec<Point> {
    let front = found.front();
    let Some(best) = found.best(options.weight, |_| true) else {
        return Vec::new();
    };
    let point = |place: usize| found.tried.get(place).map(|tried| &tried.point);
    let mut batch = Vec::with_capacity(count);
    for slot in 0..count as u64 {
        for attempt in 0..TRIES {
            let mut draws = (0..DRAWS).map(|n| {
                let parts = [random::key("tune near"), round, slot, attempt, n];
                random::unit(options.seed, &parts)
            });
            let mut draw = || draws.next().unwrap_or(0.0);
            let any = |unit: f64| front.get((unit * front.len() as f64) as usize).copied();
            let parent = if draw() < 0.5 {
                Some(best)
            } else {
                any(draw())
            };
            let Some(mut child) = parent.and_then(point).cloned() else {
                continue;
            };
            if draw() < 0.15
                && let Some(other) = any(draw()).and_then(point)
            {
                for (index, of_other) in child.iter_mut().zip(other) {
                    if draw() < 0.5 {
                        *index = *of_other;
                    }
                }
            }
            let changes = if draw() < 0.6 { 1 } else { 2 };
            for _ in 0..changes {
                let axis = (draw() * sizes.len() as f64) as usize;
                let (Some(index), Some(size)) = (child.get_mut(axis), sizes.get(axis)) else {
                    continue;
                };
                // From a neighbor to half of the axis, small moves as often as large ones.
                let reach = ((size / 2) >> ((draw() * 6.0) as u32)).max(1);
                let by = 1 + (draw() * f64::from(reach)) as u32;
                *index = if draw() < 0.5 {
                    index.saturating_sub(by)
                } else {
                    index.saturating_add(by).min(size.saturating_sub(1))
                };
            }
            if seen.insert(child.clone()) {
                batch.push(child);
                break;
            }
        }
    }
    batch
}

/// The scores of points in their order, whatever the number of threads.
pub(super) fn evaluate_all(
    points: &[Point],
    jobs: usize,
    evaluate: &(dyn Fn(&[u32]) -> Option<Score> + Sync),
    tick: &(dyn Fn() + Sync),
) -> Vec<Option<Score>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(point) = points.get(place) else {
                return done;
            };
            done.push((place, evaluate(point)));
            tick();
        }
    };
    let mut scores = vec![None; points.len()];
    let mut keep = |done: Vec<(usize, Option<Score>)>| {
        for (place, score) in done {
            if let Some(slot) = scores.get_mut(place) {
                *slot = score;
            }
        }
    };
    let others = jobs.min(points.len()).saturating_sub(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
        keep(work());
        for thread in threads {
            match thread.join() {
                Ok(done) => keep(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Options = Options {
        budget: 1_500,
        seed: 7,
        jobs: 1,
        weight: 1.0,
    };

    /// Cost is least at (30, 5, 12, 2), missing at (10, 25, 12, 40); their sum halfway between.
    fn valley(point: &[u32]) -> Option<Score> {
        let far = |from: [f64; 4]| -> f64 {
            let axes = point.iter().zip(from);
            axes.map(|(x, from)| (f64::from(*x) - from).powi(2)).sum()
        };
        Some(Score {
            cost: far([30.0, 5.0, 12.0, 2.0]),
            missing: far([10.0, 25.0, 12.0, 40.0]),
            attainment: 100.0,
        })
    }

    fn found(options: &Options) -> Found {
        search(
            &[41, 41, 41, 41],
            vec![0, 0, 0, 0],
            options,
            &valley,
            &|| {},
        )
    }

    #[test]
    fn the_known_best_point_of_a_valley_is_found() {
        for seed in 0..4 {
            let found = found(&Options { seed, ..OPTIONS });
            let best = found.best(1.0, |_| true).unwrap();
            assert_eq!(found.tried[best].point, [20, 15, 12, 21], "seed {seed}");
            assert_eq!(found.tried.len(), OPTIONS.budget);
            assert!(!found.is_whole);
        }
    }

    #[test]
    fn no_point_of_the_front_is_dominated_and_no_other_point_belongs_to_it() {
        let found = found(&OPTIONS);
        let front = found.front();
        assert!(front.len() > 20, "{}", front.len());
        let score = |place: usize| found.tried[place].score.unwrap();
        for place in 0..found.tried.len() {
            let own = score(place);
            let is_dominated = (0..found.tried.len()).any(|nth| {
                let other = score(nth);
                let is_equal = other.cost == own.cost && other.missing == own.missing;
                let is_as_good = other.cost <= own.cost && other.missing <= own.missing;
                is_as_good && (!is_equal || nth < place)
            });
            assert_eq!(front.contains(&place), !is_dominated, "{place} {own:?}");
        }
    }

    #[test]
    fn the_number_of_threads_and_a_second_run_change_nothing_and_the_seed_does() {
        let one = found(&OPTIONS);
        for jobs in [1, 2, 5] {
            assert_eq!(found(&Options { jobs, ..OPTIONS }), one, "{jobs} jobs");
        }
        assert_ne!(found(&Options { seed: 8, ..OPTIONS }), one);
    }

    #[test]
    fn a_small_grid_is_tried_as_a_whole_and_each_point_once() {
        let found = search(&[3, 4, 1], vec![1, 1, 0], &OPTIONS, &|_| None, &|| {});
        assert!(found.is_whole && found.tried.len() == 12);
        assert_eq!(found.tried[0].point, [1, 1, 0]);
        let different: HashSet<&Point> = found.tried.iter().map(|tried| &tried.point).collect();
        assert_eq!(different.len(), 12);
        assert_eq!((found.front(), found.best(1.0, |_| true)), (vec![], None));
    }

    #[test]
    fn a_point_that_cannot_be_is_never_best() {
        let walled = |point: &[u32]| valley(point).filter(|_| point[0] >= 25);
        let found = search(
            &[41, 41, 41, 41],
            vec![40, 0, 0, 0],
            &OPTIONS,
            &walled,
            &|| {},
        );
        let best = found.best(1.0, |_| true).unwrap();
        assert_eq!(found.tried[best].point, [25, 15, 12, 21]);
    }
}
