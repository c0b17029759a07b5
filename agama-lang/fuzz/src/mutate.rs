//! Small changes to an input, chosen at random.

/// A small generator of random numbers (splitmix64): the same seed gives the same run.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % end).unwrap_or(0)
    }

    /// One of several; `None` of none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// What programs are made of.
const WORDS: &[&str] = &[
    "Flow ",
    "Basepath \"\"",
    "Timeout 5 seconds",
    "Configs c",
    "Inputs a b",
    "Log ",
    "Trigger ",
    "Call ",
    "RRF \"p.html\"",
    "RFAC ",
    "When ",
    "Otherwise",
    "Repeat 3 times max",
    "Iterate over x using y",
    "Match x to",
    "Quit When ",
    "Finish ",
    " is ",
    " not ",
    " and ",
    " or ",
    "null",
    "true",
    "false",
    "idx",
    "Override templates \"a\" \"b\"",
    "$x",
    ".$x",
    ".\"k\"",
    "[0]",
    "[i]",
    ".length",
    "-x",
    "| E = ",
    " = ",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\\u00",
    "\\ud83e",
    "//",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "    ",
    "\u{feff}",
    "\u{0}",
    "é",
    "🦎",
    "1e9",
    "99999999999999999999",
    "a.b#c",
    "x",
    "0.5",
];

/// The longest input made.
const LONGEST: usize = 64 * 1024;

/// Changes an input once or a few times; `other` gives pieces to splice in.
pub fn mutate(input: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(4) {
        change(&mut bytes, other, random);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    match random.below(9) {
        0 => {
            let at = random.below(bytes.len());
            let bit = 1 << random.below(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bit;
            }
        }
        1 => {
            let (from, to) = range(bytes.len(), random);
            bytes.drain(from..to);
        }
        2 | 3 => {
            let word = random.pick(WORDS).copied().unwrap_or_default();
            let (from, to) =
                if random.below(2) == 0 { point(bytes.len(), random) } else { range(bytes.len(), random) };
            bytes.splice(from..to, word.bytes());
        }
        4 => {
            let (from, to) = range(other.len(), random);
            let piece = other.get(from..to).unwrap_or_default().to_vec();
            let (at, _) = point(bytes.len(), random);
            bytes.splice(at..at, piece);
        }
        5 => {
            let (from, to) = range(bytes.len(), random);
            let piece = bytes.get(from..to).unwrap_or_default().repeat(1 + random.below(20));
            bytes.splice(to..to, piece);
        }
        6 => lines(bytes, random, |lines, a, b| lines.swap(a, b)),
        7 => lines(bytes, random, |lines, a, b| {
            if let Some(line) = lines.get(a).cloned() {
                lines.insert(b, line);
            }
        }),
        _ => {
            let (at, _) = point(bytes.len(), random);
            let byte = u8::try_from(random.below(256)).unwrap_or(0);
            bytes.insert(at, byte);
        }
    }
}

fn lines(bytes: &mut Vec<u8>, random: &mut Random, change: fn(&mut Vec<Vec<u8>>, usize, usize)) {
    let mut all: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (a, b) = (random.below(all.len()), random.below(all.len()));
    change(&mut all, a, b);
    *bytes = all.join(&b'\n');
}

fn point(length: usize, random: &mut Random) -> (usize, usize) {
    let at = random.below(length + 1);
    (at, at)
}

/// A short range, now and then a long one.
fn range(length: usize, random: &mut Random) -> (usize, usize) {
    let from = random.below(length + 1);
    let most = if random.below(8) == 0 { length } else { 12 };
    (from, (from + random.below(most + 1)).min(length))
}
