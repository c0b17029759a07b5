//! A name that was perhaps meant.

/// The known name that differs by case, or by one letter more, less or other; the first in order.
pub(super) fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .filter(|other| other.len().abs_diff(name.len()) <= LONGEST_LETTER)
        .filter(|other| *other != name && (same_but_for_case(name, other) || differ_by_one(name, other)))
        .min()
}

/// Bytes of a letter.
const LONGEST_LETTER: usize = 4;

fn same_but_for_case(a: &str, b: &str) -> bool {
    a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

/// Whether one insertion, deletion, replacement or swap of neighbours turns one name into the other.
fn differ_by_one(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let same_start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let same_end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let longest = a.len().max(b.len());
    let swapped = a.len() == b.len()
        && same_start + same_end + 2 == longest
        && a.get(same_start) == b.get(same_start + 1)
        && a.get(same_start + 1) == b.get(same_start);
    longest > 2 && a.len().abs_diff(b.len()) <= 1 && (swapped || same_start + same_end + 1 >= longest)
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn one_slip_is_forgiven() {
        let known = ["user", "form", "loginHint"];
        for (slip, meant) in
            [("usre", "user"), ("from", "form"), ("loginhint", "loginHint"), ("users", "user")]
        {
            assert_eq!(near(slip, known.into_iter()), Some(meant));
        }
        assert_eq!(near("password", known.into_iter()), None);
    }
}
