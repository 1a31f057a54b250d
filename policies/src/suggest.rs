//! "Did you mean": the nearest of the known names.

/// The known name that a mistyped one most likely means, if any is near enough: at most a third of its letters differ.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Longer ones are no names that somebody mistyped, and comparing them would take long.
    if name.is_empty() || name.len() > 200 {
        return None;
    }
    let folded = name.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= 200 && *candidate != name)
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= 4)
        .take(5_000)
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            let letters = candidate.chars().count().max(name.chars().count());
            *distance <= (letters / 3).max(1) && *distance < letters
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let known = ["stabilization", "cooldown", "rate", "order"];
        assert_eq!(nearest("stabilisation", known), Some("stabilization"));
        assert_eq!(nearest("cooldwon", known), Some("cooldown"));
        assert_eq!(nearest("RATE", known), Some("rate"));
        assert_eq!(nearest("elephant", known), None);
        assert_eq!(nearest("", known), None);
    }
}
