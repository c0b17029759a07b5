//! Strings: which characters they may hold, and what escapes mean.

/// Why a string can't be.
pub(super) struct BadString {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

/// The text between the quotes, escapes resolved.
pub(super) fn unescape(raw: &str) -> Result<String, BadString> {
    let mut text = String::with_capacity(raw.len());
    let mut units: Vec<u16> = Vec::new();
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            flush(&mut units, &mut text);
            check(c)?;
            text.push(c);
            continue;
        }
        let Some(kind) = rest.next() else {
            return Err(BadString {
                message: "the string ends with a backslash, so its closing quote does not close it"
                    .to_owned(),
                hint: "write \\\\ for a backslash, \\u0022 for a quote",
            });
        };
        if kind == 'u' {
            units.push(hex(&mut rest, 4)?);
            continue;
        }
        flush(&mut units, &mut text);
        match kind {
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'v' => text.push('\u{b}'),
            '0' => text.push('\0'),
            'x' => text
                .push(char::from_u32(u32::from(hex(&mut rest, 2)?)).unwrap_or(char::REPLACEMENT_CHARACTER)),
            // As the reference: an unknown escape is the character itself.
            other => {
                check(other)?;
                text.push(other);
            }
        }
    }
    flush(&mut units, &mut text);
    Ok(text)
}

/// Ends a run of `\u` escapes: surrogate pairs become one character, lone ones U+FFFD.
fn flush(units: &mut Vec<u16>, text: &mut String) {
    text.extend(char::decode_utf16(units.drain(..)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

fn hex(rest: &mut std::str::Chars<'_>, digits: usize) -> Result<u16, BadString> {
    let mut value = 0;
    for _ in 0..digits {
        let digit = rest.next().and_then(|c| c.to_digit(16)).ok_or_else(|| BadString {
            message: format!("an escape needs {digits} hexadecimal digits"),
            hint: "write \\x41 or \\u0041",
        })?;
        value = value * 16 + digit;
    }
    Ok(u16::try_from(value).unwrap_or(0xFFFD))
}

fn check(c: char) -> Result<(), BadString> {
    // NUL and form feed were reported for the whole source.
    let control = (c < ' ' && !matches!(c, '\t' | '\0' | '\u{c}'))
        || ('\u{7f}'..='\u{9f}').contains(&c) && !('\u{80}'..='\u{8c}').contains(&c);
    if control {
        return Err(BadString {
            message: format!("the character U+{:04X} may not stand in a string", u32::from(c)),
            hint: "write it as an escape, for example \\u0007",
        });
    }
    Ok(())
}
