//! The whole problem, rates and minimum billing included, as the dual of a minimum-cost flow.
//!
//! Time is cut into slots of the greatest length of which all times are multiples. The variables count instances since
//! the start: `launched` (by when they are ready), `terminated` and, where the minimum billing can matter, `paid off`
//! (no longer paid). Every rule bounds the difference of two of them, and the objective is linear in them but for what
//! is missing, which is convex in a difference. The dual of such a linear programme is a flow of least cost on a
//! network with an arc for each rule. Its potentials are the variables, and as all bounds are whole, so are they.
//!
//! The flow is found by successive shortest paths. Flow moves little in time, so that each search ends close to where
//! it began: about (slots x slots searched) steps, each of a logarithm.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::path::Path;
use super::problem::{Exact, Window};

/// What is left of a supply is nothing from here on: supplies are milliseconds.
const NOTHING: f64 = 1e-6;

/// The most variables; they and their arcs take some 400 MiB.
const LARGEST: u64 = 2_000_000;

/// The optimal path, from any path within the limits to begin with: the closer, the faster.
///
/// `work` is how many arcs may be looked at; nothing if they are not enough, or the problem is too large.
pub(super) fn solve(exact: &Exact<'_>, near: &Path, work: u64) -> Option<Path> {
    let slots = exact.end_ms / slot_ms(exact);
    if slots * if bills(exact) { 3 } else { 2 } > LARGEST {
        return None;
    }
    let model = Model::new(exact);
    let mut network = model.network(exact);
    model.begin(exact, near, &mut network);
    network.solve(work).then(|| model.path(exact, &network))
}

/// Whether an instance can be gone before its shortest bill is.
fn bills(exact: &Exact<'_>) -> bool {
    exact.minimum_billing_ms > exact.boot_ms + exact.drain_ms
}

fn slot_ms(exact: &Exact<'_>) -> u64 {
    let windows = [exact.rate_out, exact.rate_in];
    let mut slot = gcd(exact.step_ms, exact.boot_ms);
    for window in windows.into_iter().flatten() {
        slot = gcd(slot, window.per_ms);
    }
    if bills(exact) {
        slot = gcd(gcd(slot, exact.drain_ms), exact.minimum_billing_ms);
    }
    slot
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Which node of the network is which variable. Node 0 is the start: all counts are 0.
#[derive(Debug)]
struct Model {
    slot_ms: u64,
    slots: usize,
    /// The first slot in which a launch can be ready.
    boot: usize,
    bills: bool,
    demand: Vec<u32>,
}

impl Model {
    fn new(exact: &Exact<'_>) -> Model {
        let slot_ms = slot_ms(exact);
        let slots = (exact.end_ms / slot_ms) as usize;
        let mut demand = Vec::with_capacity(slots);
        for stretch in exact.stretches() {
            let many = (stretch.to_ms - stretch.from_ms) / slot_ms;
            demand.extend((0..many).map(|_| stretch.demand));
        }
        Model {
            slot_ms,
            slots,
            boot: (exact.boot_ms / slot_ms).min(slots as u64) as usize,
            bills: bills(exact),
            demand,
        }
    }

    /// Launched, and ready by the slot.
    fn launched(&self, slot: usize) -> usize {
        if slot < self.boot { 0 } else { 1 + slot }
    }

    fn terminated(&self, slot: usize) -> usize {
        1 + self.slots + slot
    }

    fn paid_off(&self, slot: usize) -> usize {
        1 + 2 * self.slots + slot
    }

    fn nodes(&self) -> usize {
        1 + self.slots * if self.bills { 3 } else { 2 }
    }

    /// A count some slots earlier: 0 before the start.
    fn earlier(slot: usize, by_slots: u64, node: impl Fn(usize) -> usize) -> usize {
        usize::try_from(by_slots)
            .ok()
            .and_then(|by| slot.checked_sub(by))
            .map_or(0, node)
    }

    fn network(&self, exact: &Exact<'_>) -> Network {
        let mut network = Network::new(self.nodes());
        let slot = self.slot_ms as f64;
        let start = i64::from(exact.start);
        let last = self.slots - 1;
        let drain = exact.drain_ms / self.slot_ms;
        let unserved = |at: usize| {
            // Where draining ends after the trace, only what lies within it is paid.
            let end = |at: usize| (at as u64 * self.slot_ms + exact.drain_ms).min(exact.end_ms);
            let next = if at == last {
                exact.end_ms
            } else {
                end(at + 1)
            };
            (next - end(at)) as f64
        };
        for (at, demand) in self.demand.iter().enumerate() {
            let launched = self.launched(at);
            let terminated = self.terminated(at);
            if launched != 0 {
                // Paid from its launch.
                let early = if at == last {
                    exact.boot_ms as f64
                } else {
                    0.0
                };
                network.supply(launched, -(slot + early));
                let before = at.checked_sub(1).map_or(0, |at| self.launched(at));
                network.arc(before, launched, 0, f64::INFINITY);
                if let Some(Window { instances, per_ms }) = exact.rate_out {
                    let before = Self::earlier(at, per_ms / self.slot_ms, |at| self.launched(at));
                    network.arc(launched, before, i64::from(instances), f64::INFINITY);
                }
            }
            let before = at.checked_sub(1).map_or(0, |at| self.terminated(at));
            network.arc(before, terminated, 0, f64::INFINITY);
            if let Some(Window { instances, per_ms }) = exact.rate_in {
                let before = Self::earlier(at, per_ms / self.slot_ms, |at| self.terminated(at));
                network.arc(terminated, before, i64::from(instances), f64::INFINITY);
            }
            network.arc(
                terminated,
                launched,
                start - i64::from(exact.min),
                f64::INFINITY,
            );
            if let Some(max) = exact.max {
                network.arc(launched, terminated, i64::from(max) - start, f64::INFINITY);
            }
            for (level, worth) in exact.needs(*demand) {
                if worth > 0.0 && level > exact.min {
                    network.arc(terminated, launched, start - i64::from(level), slot * worth);
                }
            }
            if self.bills {
                let paid_off = self.paid_off(at);
                network.supply(paid_off, slot);
                let terminated = Self::earlier(at, drain, |at| self.terminated(at));
                network.arc(paid_off, terminated, 0, f64::INFINITY);
                let billed = (exact.minimum_billing_ms - exact.boot_ms) / self.slot_ms;
                let launched = Self::earlier(at, billed, |at| self.launched(at));
                network.arc(paid_off, launched, start, f64::INFINITY);
            } else {
                network.supply(terminated, unserved(at));
            }
        }
        network.index();
        network
    }

    /// Sets the potentials to a path that keeps every rule, as close to another as the rates let it.
    fn begin(&self, exact: &Exact<'_>, near: &Path, network: &mut Network) {
        let mut serving = i64::from(exact.start);
        for at in 0..self.slots {
            let wanted = i64::from(near.at(at as u64 * self.slot_ms));
            let before = |node: usize| network.potential[node];
            let room = |rate: Option<Window>, count: i64, node: &dyn Fn(usize) -> usize| {
                rate.map_or(i64::MAX, |rate| {
                    let earlier = Self::earlier(at, rate.per_ms / self.slot_ms, node);
                    i64::from(rate.instances) - (count - before(earlier))
                })
            };
            let mut launched = at.checked_sub(1).map_or(0, |at| before(self.launched(at)));
            let mut terminated = at
                .checked_sub(1)
                .map_or(0, |at| before(self.terminated(at)));
            if wanted > serving && at >= self.boot {
                let room = room(exact.rate_out, launched, &|at| self.launched(at));
                let rise = (wanted - serving).min(room);
                launched += rise;
                serving += rise;
            } else if wanted < serving {
                let room = room(exact.rate_in, terminated, &|at| self.terminated(at));
                let fall = (serving - wanted).min(room);
                terminated += fall;
                serving -= fall;
            }
            if at >= self.boot {
                network.potential[self.launched(at)] = launched;
            }
            network.potential[self.terminated(at)] = terminated;
            if self.bills {
                let drain = exact.drain_ms / self.slot_ms;
                let terminated = Self::earlier(at, drain, |at| self.terminated(at));
                let billed = (exact.minimum_billing_ms - exact.boot_ms) / self.slot_ms;
                let launched = Self::earlier(at, billed, |at| self.launched(at));
                network.potential[self.paid_off(at)] = network.potential[terminated]
                    .min(network.potential[launched] + i64::from(exact.start));
            }
        }
    }

    fn path(&self, exact: &Exact<'_>, network: &Network) -> Path {
        let mut path = Path::default();
        for at in 0..self.slots {
            let serving = i64::from(exact.start) + network.potential[self.launched(at)]
                - network.potential[self.terminated(at)];
            let serving = u32::try_from(serving).unwrap_or(0);
            path.push(at as u64 * self.slot_ms, serving);
        }
        path
    }
}

/// An arc, or its way back: arcs are stored in pairs.
#[derive(Clone, Copy, Debug)]
struct Arc {
    to: u32,
    cost: i64,
    left: f64,
}

/// A network with supplies, to be cleared at the least cost.
///
/// Invariant: `cost - potential[from] + potential[to] >= 0` for each arc that has capacity left.
#[derive(Debug)]
struct Network {
    arcs: Vec<Arc>,
    /// Arcs by the node they leave: `leaving[first[node]..first[node + 1]]`.
    first: Vec<u32>,
    leaving: Vec<u32>,
    excess: Vec<f64>,
    potential: Vec<i64>,
}

impl Network {
    fn new(nodes: usize) -> Network {
        Network {
            arcs: Vec::new(),
            first: vec![0; nodes + 1],
            leaving: Vec::new(),
            excess: vec![0.0; nodes],
            potential: vec![0; nodes],
        }
    }

    fn supply(&mut self, node: usize, amount: f64) {
        self.excess[node] += amount;
        self.excess[0] -= amount;
    }

    fn arc(&mut self, from: usize, to: usize, cost: i64, capacity: f64) {
        let arc = |to: usize, cost, left| Arc {
            to: to as u32,
            cost,
            left,
        };
        self.arcs.push(arc(to, cost, capacity));
        self.arcs.push(arc(from, -cost, 0.0));
    }

    /// Sorts the arcs by the node they leave.
    fn index(&mut self) {
        let from = |arcs: &[Arc], arc: usize| arcs[arc ^ 1].to as usize;
        for arc in 0..self.arcs.len() {
            self.first[from(&self.arcs, arc) + 1] += 1;
        }
        for node in 1..self.first.len() {
            self.first[node] += self.first[node - 1];
        }
        let mut next = self.first.clone();
        self.leaving = vec![0; self.arcs.len()];
        for arc in 0..self.arcs.len() {
            let place = &mut next[from(&self.arcs, arc)];
            self.leaving[*place as usize] = arc as u32;
            *place += 1;
        }
    }

    fn push(&mut self, arc: usize, amount: f64) {
        let from = self.arcs[arc ^ 1].to as usize;
        let to = self.arcs[arc].to as usize;
        self.arcs[arc].left -= amount;
        self.arcs[arc ^ 1].left += amount;
        self.excess[from] -= amount;
        self.excess[to] += amount;
    }

    fn reduced(&self, from: usize, arc: Arc) -> i64 {
        arc.cost - self.potential[from] + self.potential[arc.to as usize]
    }

    /// Clears all supplies, from potentials that keep every arc without a capacity. Whether the work was enough.
    fn solve(&mut self, work: u64) -> bool {
        // What is missing pulls at once as strongly as it can.
        for arc in (0..self.arcs.len()).step_by(2) {
            let from = self.arcs[arc ^ 1].to as usize;
            if self.reduced(from, self.arcs[arc]) < 0 {
                self.push(arc, self.arcs[arc].left);
            }
        }
        let mut search = Search::new(self.potential.len());
        for node in 0..self.potential.len() {
            while self.excess[node] > NOTHING && search.clear(self, node) {
                if search.work > work {
                    return false;
                }
            }
        }
        let start = self.potential[0];
        for potential in &mut self.potential {
            *potential -= start;
        }
        true
    }
}

/// A shortest-path search, whose memory is used again by the next.
#[derive(Debug)]
struct Search {
    distance: Vec<i64>,
    by: Vec<u32>,
    /// The search that saw the node last.
    seen: Vec<u32>,
    number: u32,
    reached: Vec<u32>,
    heap: BinaryHeap<Reverse<(i64, u32)>>,
    near: VecDeque<u32>,
    /// Arcs looked at, by all searches.
    work: u64,
}

impl Search {
    fn new(nodes: usize) -> Search {
        Search {
            distance: vec![0; nodes],
            by: vec![0; nodes],
            seen: vec![0; nodes],
            number: 0,
            reached: Vec::new(),
            heap: BinaryHeap::new(),
            near: VecDeque::new(),
            work: 0,
        }
    }

    /// Moves supply from a node to the nearest that lacks some. Whether there was one.
    fn clear(&mut self, network: &mut Network, source: usize) -> bool {
        self.number += 1;
        self.reached.clear();
        self.heap.clear();
        self.near.clear();
        self.see(source, 0, u32::MAX);
        self.near.push_back(source as u32);
        let Some(sink) = self.nearest_sink(network) else {
            return false;
        };
        let far = self.distance[sink];
        for node in &self.reached {
            let node = *node as usize;
            network.potential[node] += (far - self.distance[node]).max(0);
        }
        let mut amount = network.excess[source].min(-network.excess[sink]);
        let mut node = sink;
        while node != source {
            let arc = self.by[node] as usize;
            amount = amount.min(network.arcs[arc].left);
            node = network.arcs[arc ^ 1].to as usize;
        }
        node = sink;
        while node != source {
            let arc = self.by[node] as usize;
            node = network.arcs[arc ^ 1].to as usize;
            network.push(arc, amount);
        }
        true
    }

    fn see(&mut self, node: usize, distance: i64, by: u32) {
        if self.seen[node] != self.number {
            self.seen[node] = self.number;
            self.reached.push(node as u32);
        }
        self.distance[node] = distance;
        self.by[node] = by;
    }

    fn nearest_sink(&mut self, network: &Network) -> Option<usize> {
        let mut distance = 0;
        loop {
            // Nodes at the present distance first; most arcs are of length 0.
            let node = match self.near.pop_front() {
                Some(node) => node,
                None => {
                    let Reverse((far, node)) = self.heap.pop()?;
                    if far > self.distance[node as usize] {
                        continue;
                    }
                    distance = far;
                    node
                }
            } as usize;
            if self.distance[node] < distance {
                continue;
            }
            if network.excess[node] < -NOTHING {
                return Some(node);
            }
            let leaving = network.first[node] as usize..network.first[node + 1] as usize;
            self.work += leaving.len() as u64;
            for arc in &network.leaving[leaving] {
                let edge = network.arcs[*arc as usize];
                if edge.left <= NOTHING {
                    continue;
                }
                let to = edge.to as usize;
                let length = network.reduced(node, edge);
                let far = distance + length;
                if self.seen[to] == self.number && self.distance[to] <= far {
                    continue;
                }
                self.see(to, far, *arc);
                if length == 0 {
                    self.near.push_back(edge.to);
                } else {
                    self.heap.push(Reverse((far, edge.to)));
                }
            }
        }
    }
}
