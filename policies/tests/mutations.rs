//! Damaged configurations: whatever is done to a good file, it is read to its end without a panic, and what is
//! said of it points into the file.
//!
//! The fuzz target of the language. It runs over 400 seeds with the other tests; longer by hand, with further seeds:
//!
//! ```text
//! TIDEFORM_FUZZ_SEEDS=1000..200000 cargo test -p tideform-policies --test mutations
//! ```
//!
//! A failure names its seed, which alone repeats it.

use tideform_policies::load::LoadInput;
use tideform_policies::render;

const GOOD: &str = include_str!("../../examples/web-shop/shop.hcl");
const WORKER: &str = include_str!("../../examples/queue-worker/worker.hcl");

/// Values that stand where others belong.
const VALUES: &[&str] = &[
    "null",
    "true",
    "-1",
    "0",
    "1e300",
    "18446744073709551616",
    "\"\"",
    "\"5m\"",
    "\"70%\"",
    "\"-1s\"",
    "\"9999999999999d\"",
    "\"2026-03-29T02:30:00\"",
    "[]",
    "[1, null, \"x\"]",
    "{}",
    "{ a = null }",
    "provider.mock",
    "group.web",
    "policy.web",
    "metric.cpu",
    "metric.cpu > 5",
    "self.ready / 0",
    "\", * * * *\"",
    "\"0 0 31 2 *\"",
    "\"99 of 1\"",
];

/// A small generator, so that a failure can be repeated by its number.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % n.max(1)
    }
}

fn damage(text: &str, chance: &mut Chance) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=chance.below(4) {
        let i = chance.below(lines.len());
        match chance.below(6) {
            0 => {
                lines.remove(i);
            }
            1 => {
                let line = lines[i].clone();
                lines.insert(chance.below(lines.len()), line);
            }
            2 => {
                let j = chance.below(lines.len());
                lines.swap(i, j);
            }
            3 | 4 => {
                if let Some((name, _)) = lines[i].split_once('=') {
                    let value = VALUES[chance.below(VALUES.len())];
                    lines[i] = format!("{name}= {value}");
                }
            }
            _ => {
                let line = &lines[i];
                let cut = chance.below(line.len() + 1);
                if line.is_char_boundary(cut) {
                    lines[i] = line[..cut].to_owned();
                }
            }
        }
    }
    lines.join("\n")
}

/// The seeds of this run: 400, or the range of `TIDEFORM_FUZZ_SEEDS`.
fn seeds() -> std::ops::Range<u64> {
    let Ok(range) = std::env::var("TIDEFORM_FUZZ_SEEDS") else {
        return 0..400;
    };
    let (from, to) = range.split_once("..").expect("a range: FROM..TO");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn no_damage_makes_the_reader_panic_or_point_outside_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut said = 0;
    for seed in seeds() {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let good = if seed % 2 == 0 { GOOD } else { WORKER };
        let text = damage(good, &mut chance);
        std::fs::write(folder.path().join("a.hcl"), &text).expect("a file");
        let (configuration, diagnostics) = tideform_policies::read(&LoadInput {
            directory: folder.path().to_owned(),
            ..LoadInput::default()
        });
        for diagnostic in diagnostics.iter() {
            said += 1;
            for label in &diagnostic.labels {
                let place = configuration.sources.place(label.span);
                assert!(place.is_some(), "seed {seed}: {diagnostic:?}\n{text}");
            }
        }
        // Rendering, too, takes whatever comes.
        let _ = render::plain(&diagnostics, &configuration.sources);
        for group in configuration.groups.keys() {
            let _ = tideform_policies::layers::render(&configuration, group);
        }
    }
    assert!(
        said > 300,
        "only {said} diagnostics: is the damage still damage?"
    );
}
