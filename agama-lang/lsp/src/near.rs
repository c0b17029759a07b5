//! Names that were probably meant.

/// A longer difference is no slip of the fingers.
const MOST: usize = 2;

/// The name nearest to one that is not there: the same but for case, or at most two letters more, less or other.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    known
        .filter_map(|other| {
            let distance = distance(&wanted, &other.to_lowercase());
            // Of a short name two letters are too much.
            let allowed = if wanted.chars().count() > 4 { MOST } else { 1 };
            (distance <= allowed).then_some((distance, other))
        })
        .min()
        .map(|(_, other)| other)
}

/// How many letters must be put in, left out or replaced to make one the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, c) in one.chars().enumerate() {
        let mut next = vec![line + 1];
        for ((diagonal, above), d) in row.iter().zip(row.iter().skip(1)).zip(&other) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(c != *d)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_seen_and_other_names_are_not() {
        let near = |name: &str| nearest(name, ["login.html", "otp.html", "find", "get"].into_iter());
        assert_eq!(near("lgoin.html"), Some("login.html"));
        assert_eq!(near("LOGIN.html"), Some("login.html"));
        assert_eq!(near("fidn"), None, "two letters of four");
        assert_eq!(near("fnd"), Some("find"));
        assert_eq!(near("other.html"), None);
        assert_eq!(near(""), None);
    }
}
