//! Algorithms 1 to 3, in whole numbers and exact fractions.
//!
//! Where tideform decides otherwise on purpose, a flag says which of the two is computed.

use std::cmp::Ordering;

/// A fraction; the denominator is above 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fraction {
    over: i128,
    under: i128,
}

pub(crate) const fn fraction(over: i128, under: i128) -> Fraction {
    Fraction { over, under }
}

impl Fraction {
    fn cmp(self, other: Fraction) -> Ordering {
        (self.over * other.under).cmp(&(other.over * self.under))
    }

    fn cut(self) -> Fraction {
        fraction(self.over.div_euclid(self.under), 1)
    }

    fn divided_by(self, n: i128) -> Fraction {
        fraction(self.over, self.under * n)
    }

    fn times(self, n: i128) -> Fraction {
        fraction(self.over * n, self.under)
    }

    fn ceil(self) -> i64 {
        let whole = self.over.div_euclid(self.under);
        let up = i128::from(self.over.rem_euclid(self.under) != 0);
        i64::try_from(whole + up).expect("a count")
    }
}

const ONE: Fraction = fraction(1, 1);

/// In thousandths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    pub(crate) down: i128,
    pub(crate) up: i128,
}

impl Tolerance {
    fn holds(self, ratio: Fraction) -> bool {
        fraction(1000 - self.down, 1000).cmp(ratio) != Ordering::Greater
            && ratio.cmp(fraction(1000 + self.up, 1000)) != Ordering::Greater
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Ready,
    Unready,
    Missing,
    Ignored,
}

/// A pod as the autoscaler sees it; times in seconds before now.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) is_gone: bool,
    pub(crate) is_pending: bool,
    pub(crate) started_ago: Option<i64>,
    /// Whether it is ready, and since when.
    pub(crate) readiness: Option<(bool, i64)>,
    pub(crate) value: Option<i64>,
    pub(crate) request: Option<i64>,
}

/// Initialization period, and how long ago and over what window the samples were taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    pub(crate) initialization: i64,
    pub(crate) sampled_ago: i64,
    pub(crate) window: i64,
}

pub(crate) fn classify(pod: &Pod, gate: Option<Gate>) -> Class {
    if pod.is_gone {
        return Class::Ignored;
    }
    if pod.is_pending {
        return Class::Unready;
    }
    if pod.value.is_none() {
        return Class::Missing;
    }
    if let Some(gate) = gate
        && is_unready(pod, gate)
    {
        return Class::Unready;
    }
    Class::Ready
}

fn is_unready(pod: &Pod, gate: Gate) -> bool {
    let (Some((is_ready, changed_ago)), Some(started_ago)) = (pod.readiness, pod.started_ago)
    else {
        return true;
    };
    if started_ago < gate.initialization {
        // As times: sampled < changed + window.
        let sampled_too_early = -gate.sampled_ago < -changed_ago + gate.window;
        return !is_ready || sampled_too_early;
    }
    !is_ready && -changed_ago < -started_ago + 10
}

/// One metric with samples per pod.
#[derive(Clone, Debug)]
pub(crate) struct PerPod {
    pub(crate) is_utilization: bool,
    pub(crate) current: i64,
    pub(crate) target: i128,
    pub(crate) tolerance: Tolerance,
    pub(crate) pods: Vec<Pod>,
    pub(crate) gate: Option<Gate>,
}

/// What is computed where tideform does otherwise: with all off it is the HPA.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ours {
    /// A mean is not cut to a whole number.
    pub(crate) exact_means: bool,
    /// Above the target never fewer than now, below it never more.
    pub(crate) one_way: bool,
    /// A failed pod needs no request.
    pub(crate) failed_need_no_request: bool,
}

pub(crate) fn per_pod(asked: &PerPod, ours: Ours) -> Option<i64> {
    let mut present: Vec<(i128, i128)> = Vec::new();
    let mut missing = Vec::new();
    let mut unready = Vec::new();
    for pod in &asked.pods {
        let class = classify(pod, asked.gate);
        if asked.is_utilization
            && pod.request.is_none()
            && !(ours.failed_need_no_request && class == Class::Ignored)
        {
            return None;
        }
        let request = i128::from(pod.request.unwrap_or_default());
        match (class, pod.value) {
            (Class::Ready, Some(value)) => present.push((i128::from(value), request)),
            (Class::Missing, _) => missing.push(request),
            (Class::Unready, _) => unready.push(request),
            (Class::Ignored, _) | (Class::Ready, None) => {}
        }
    }
    if present.is_empty() {
        return None;
    }
    let ready = present.len() as i128;
    // Values in hundredths, so that shares of a request stay whole.
    let ratio_of = |values: &[(i128, i128)]| {
        let sum: i128 = values.iter().map(|(value, _)| value).sum();
        let usage = if asked.is_utilization {
            let requests: i128 = values.iter().map(|(_, request)| request).sum();
            fraction(sum, requests).cut()
        } else {
            let mean = fraction(sum, 100 * values.len() as i128);
            if ours.exact_means { mean } else { mean.cut() }
        };
        usage.divided_by(asked.target)
    };
    let mut values: Vec<(i128, i128)> = present
        .iter()
        .map(|(value, request)| (value * 100, *request))
        .collect();
    let ratio = ratio_of(&values);
    let side = ratio.cmp(ONE);
    let keep = Some(asked.current);
    if missing.is_empty() && (side != Ordering::Greater || unready.is_empty()) {
        if asked.tolerance.holds(ratio) {
            return keep;
        }
        let answer = ratio.times(ready).ceil();
        return Some(if ours.one_way {
            one_way(side, answer, asked.current)
        } else {
            answer
        });
    }
    match side {
        Ordering::Less if asked.is_utilization => {
            values.extend(
                missing
                    .iter()
                    .map(|request| (request * asked.target.max(100), *request)),
            );
        }
        Ordering::Less => {
            values.extend(missing.iter().map(|request| (asked.target * 100, *request)))
        }
        Ordering::Greater => {
            values.extend(missing.iter().chain(&unready).map(|request| (0, *request)));
        }
        Ordering::Equal => {}
    }
    let ratio2 = ratio_of(&values);
    let side2 = ratio2.cmp(ONE);
    let is_turned = matches!(
        (side, side2),
        (Ordering::Less, Ordering::Greater) | (Ordering::Greater, Ordering::Less)
    );
    if asked.tolerance.holds(ratio2) || is_turned {
        return keep;
    }
    let answer = ratio2.times(values.len() as i128).ceil();
    Some(one_way(side2, answer, asked.current))
}

fn one_way(side: Ordering, answer: i64, current: i64) -> i64 {
    match side {
        Ordering::Less => answer.min(current),
        Ordering::Greater => answer.max(current),
        Ordering::Equal => current,
    }
}

/// One total against a target for the whole group.
pub(crate) fn value(
    total: i128,
    target: i128,
    tolerance: Tolerance,
    current: i64,
    ready: i64,
    is_one_way: bool,
) -> i64 {
    let ratio = fraction(total, target);
    if current == 0 {
        return ratio.ceil();
    }
    if tolerance.holds(ratio) {
        return current;
    }
    let answer = ratio.times(i128::from(ready)).ceil();
    if is_one_way {
        one_way(ratio.cmp(ONE), answer, current)
    } else {
        answer
    }
}

/// One total divided among the replicas.
pub(crate) fn total_average(
    total: i128,
    target: i128,
    tolerance: Tolerance,
    current: i64,
    observed: i64,
    is_one_way: bool,
) -> i64 {
    let answer = fraction(total, target).ceil();
    if observed == 0 {
        return answer;
    }
    let ratio = fraction(total, target * i128::from(observed));
    if tolerance.holds(ratio) {
        return current;
    }
    if is_one_way {
        one_way(ratio.cmp(ONE), answer, current)
    } else {
        answer
    }
}

/// Several metrics, of which some failed: their proposal, if there is any to follow.
pub(crate) fn combine(proposals: &[Option<i64>], current: i64) -> Option<i64> {
    let largest = proposals.iter().flatten().max().copied()?;
    let has_failed = proposals.iter().any(Option::is_none);
    (!has_failed || largest >= current).then_some(largest)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Select {
    Max,
    Min,
    Disabled,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) is_percent: bool,
    pub(crate) value: i64,
    pub(crate) period: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) select: Select,
    pub(crate) policies: Vec<Policy>,
    pub(crate) window: i64,
}

impl Rules {
    fn longest(&self) -> i64 {
        self.policies
            .iter()
            .map(|policy| policy.period)
            .max()
            .unwrap_or_default()
    }
}

/// A past change, at a time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) change: i64,
    pub(crate) at: i64,
}

fn changed_within(events: &[Event], period: i64, now: i64) -> i64 {
    events
        .iter()
        .filter(|event| now - event.at < period)
        .map(|event| event.change)
        .sum()
}

/// How far the rules alone allow to go.
pub(crate) fn limit(
    direction: Direction,
    rules: &Rules,
    ups: &[Event],
    downs: &[Event],
    current: i64,
    now: i64,
) -> i64 {
    let allowed = rules.policies.iter().map(|policy| {
        let base = current - changed_within(ups, policy.period, now)
            + changed_within(downs, policy.period, now);
        let percent = |sign: i64| {
            fraction(
                i128::from(base) * i128::from(100 + sign * policy.value),
                100,
            )
        };
        match (direction, policy.is_percent) {
            (Direction::Up, false) => base + policy.value,
            (Direction::Down, false) => base - policy.value,
            (Direction::Up, true) => percent(1).ceil(),
            (Direction::Down, true) => i64::try_from(percent(-1).cut().over).expect("a count"),
        }
    });
    let limit = match (rules.select, direction) {
        (Select::Disabled, _) => None,
        (Select::Max, Direction::Up) | (Select::Min, Direction::Down) => allowed.max(),
        (Select::Min, Direction::Up) | (Select::Max, Direction::Down) => allowed.min(),
    }
    .unwrap_or(current);
    match direction {
        Direction::Up => limit.max(current),
        Direction::Down => limit.min(current),
    }
}

/// Everything about a group that limits its changes.
#[derive(Clone, Debug)]
pub(crate) struct Behavior {
    pub(crate) up: Rules,
    pub(crate) down: Rules,
    pub(crate) min: i64,
    pub(crate) max: i64,
}

/// What the autoscaler remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    pub(crate) ups: Vec<Event>,
    pub(crate) downs: Vec<Event>,
    pub(crate) proposals: Vec<Proposal>,
    pub(crate) is_seen: bool,
    /// As in tideform: old events are never overwritten, and a decision without data logs the present count.
    pub(crate) is_ours: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) replicas: i64,
    pub(crate) at: i64,
}

/// The count, and the reason in the HPA's words.
pub(crate) fn rate(
    wish: i64,
    behavior: &Behavior,
    past: &Past,
    current: i64,
    now: i64,
) -> (i64, &'static str) {
    let of = |direction, rules| limit(direction, rules, &past.ups, &past.downs, current, now);
    if wish > current {
        let limit = of(Direction::Up, &behavior.up);
        if behavior.max <= limit && wish > behavior.max {
            return (behavior.max, "TooManyReplicas");
        }
        if wish > limit {
            return (limit, "ScaleUpLimit");
        }
    } else if wish < current {
        let limit = of(Direction::Down, &behavior.down);
        if behavior.min >= limit && wish < behavior.min {
            return (behavior.min, "TooFewReplicas");
        }
        if wish < limit {
            return (limit, "ScaleDownLimit");
        }
    }
    (wish, "DesiredWithinRange")
}

/// Raises to the lowest and lowers to the highest of the recent proposals, and logs the new one.
pub(crate) fn stabilize(
    wish: i64,
    behavior: &Behavior,
    past: &mut Past,
    current: i64,
    now: i64,
) -> i64 {
    if !past.is_seen {
        past.is_seen = true;
        past.proposals.push(Proposal {
            replicas: current,
            at: now,
        });
    }
    let within = |window: i64, past: &Past| -> Vec<i64> {
        past.proposals
            .iter()
            .filter(|proposal| now - proposal.at < window)
            .map(|proposal| proposal.replicas)
            .chain([wish])
            .collect()
    };
    let lowest = within(behavior.up.window, past)
        .into_iter()
        .min()
        .unwrap_or(wish);
    let highest = within(behavior.down.window, past)
        .into_iter()
        .max()
        .unwrap_or(wish);
    let longest = behavior.up.window.max(behavior.down.window);
    let new = Proposal {
        replicas: wish,
        at: now,
    };
    match past
        .proposals
        .iter_mut()
        .rev()
        .find(|proposal| now - proposal.at > longest)
    {
        Some(outdated) => *outdated = new,
        None => past.proposals.push(new),
    }
    current.max(lowest).min(highest)
}

/// Without rules: the largest of the new proposal and those not older than the window; each a count and its age.
pub(crate) fn stabilize_down_only(wish: i64, log: &[(i64, i64)], window: i64) -> i64 {
    log.iter()
        .filter(|(_, age)| *age <= window)
        .map(|(replicas, _)| *replicas)
        .fold(wish, i64::max)
}

/// Logs a change for its direction.
pub(crate) fn store(from: i64, to: i64, behavior: &Behavior, past: &mut Past, now: i64) {
    let new = Event {
        change: (to - from).abs(),
        at: now,
    };
    let (events, rules) = match to.cmp(&from) {
        Ordering::Equal => return,
        Ordering::Greater => (&mut past.ups, &behavior.up),
        Ordering::Less => (&mut past.downs, &behavior.down),
    };
    let longest = rules.longest();
    match events
        .iter_mut()
        .rev()
        .find(|event| !past.is_ours && now - event.at > longest)
    {
        Some(outdated) => *outdated = new,
        None => events.push(new),
    }
}

/// A whole decision, from what the metrics propose.
pub(crate) fn reconcile(
    proposals: &[Option<i64>],
    behavior: &Behavior,
    past: &mut Past,
    current: i64,
    now: i64,
) -> i64 {
    if current == 0 && behavior.min > 0 {
        return 0;
    }
    if current > behavior.max {
        return behavior.max;
    }
    if current < behavior.min {
        return behavior.min;
    }
    // Nothing was proposed: nothing changes, and nothing is logged.
    let Some(wish) = combine(proposals, current).or(past.is_ours.then_some(current)) else {
        return current;
    };
    let wish = stabilize(wish, behavior, past, current, now);
    rate(wish, behavior, past, current, now).0
}
