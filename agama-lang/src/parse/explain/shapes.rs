//! Statements that went wrong inside Agama: what the piece at fault should be.

use super::tokens::{KEYWORDS, Kind, Look, VERBS};
use super::{Verdict, literals, near};
use crate::diagnostic::Code;

/// In the order in which they are asked.
pub(super) const RULES: &[fn(&Look<'_>) -> Option<Verdict>] = &[
    alone,
    slip,
    nested_call,
    error_variable,
    compared_value,
    condition,
    hash,
    method,
    spaced_keyword,
    finish,
    template,
    flow_name,
    literals::literal,
    index,
    number,
    dash,
    detached,
    words,
    keyword,
];

fn wrong(span: (usize, usize), message: impl Into<String>, hint: impl Into<String>) -> Option<Verdict> {
    Some(Verdict::new(Code::Syntax, span, message, hint))
}

/// How the statement that the line seems to be is written.
pub(super) fn shape(look: &Look<'_>) -> &'static str {
    let verb = VERBS
        .iter()
        .find(|verb| look.word(look.verb()) == Some(verb))
        .or_else(|| VERBS.iter().find(|verb| look.has(verb)));
    if let Some(verb) = verb {
        return shape_of(verb);
    }
    if look.find(&["="]).is_some() {
        "behind = stands a literal, a variable, a list, a map, or Call, Trigger, RRF, RFAC, Repeat, Iterate over"
    } else {
        "a statement is an assignment (name = value), or begins with Log, Finish, RRF, RFAC, Call, Trigger, When, Match, Repeat, Iterate over"
    }
}

/// How a statement is written.
fn shape_of(verb: &str) -> &'static str {
    match verb {
        "When" => "write: When a is b, with `is not`, `and`, `or`",
        "Quit" => "write: Quit When a is b",
        "Match" => "write: Match value to, and indented below it the labels",
        "Log" => "write: Log \"text with %\" value",
        "Finish" => "Finish takes true, false, a string or a variable",
        "RRF" => "write: form = RRF \"template.html\" model",
        "RFAC" => "write: answer = RFAC url, where url is a string or a variable",
        "Trigger" => "write: result = Trigger qualified.flow.name argument",
        "Call" => "write: x = Call package.interface#function argument, or: x = Call object method argument",
        "Repeat" => "write: n = Repeat 3 times max",
        "Iterate" => "write: n = Iterate over list using item",
        _ => "Otherwise stands alone in its line, in the column of its When or Match",
    }
}

/// A verb without anything behind it.
fn alone(look: &Look<'_>) -> Option<Verdict> {
    let verb = look.verb();
    let word = look.word(verb).filter(|word| VERBS.contains(word))?;
    (verb + 1 == look.tokens.len()).then(|| {
        Verdict::new(Code::Syntax, look.span(verb), format!("{word} needs something behind it"), shape(look))
    })
}

/// A verb written with a slip, and a `when` in the wrong case.
fn slip(look: &Look<'_>) -> Option<Verdict> {
    if matches!(look.word(0), Some("and" | "or")) {
        let hint = "a condition goes on in the line directly below its When, in the same column";
        return wrong(look.span(0), "this belongs to no condition", hint);
    }
    let verb = look.verb();
    let word = look.word(verb)?;
    if look.tokens.len() == 1 && near(word, "Otherwise") {
        return wrong(look.span(0), format!("`{word}` begins no statement"), "did you mean Otherwise?");
    }
    if VERBS.contains(&word) || matches!(look.piece(verb + 1), "=" | "." | "[" | "|" | "") {
        return None;
    }
    let meant = VERBS.iter().find(|meant| near(word, meant))?;
    wrong(look.span(verb), format!("`{word}` begins no statement"), format!("did you mean {meant}?"))
}

/// `Log Call a#b`: a routine's result used where it is made.
fn nested_call(look: &Look<'_>) -> Option<Verdict> {
    let verb = look.verb();
    look.word(verb).filter(|word| VERBS.contains(word))?;
    let number = (verb + 1..look.tokens.len()).find(|number| {
        matches!(look.word(*number), Some("Call" | "Trigger" | "RRF" | "RFAC")) && look.apart(*number)
    })?;
    let inner = look.piece(number);
    let hint = format!("write: x = {inner} … in a line before, and use x here");
    wrong(look.span(number), format!("{inner} can't stand inside another statement"), hint)
}

/// `x | E = RRF …`
fn error_variable(look: &Look<'_>) -> Option<Verdict> {
    let bar = look.find(&["|"])?;
    let verb = look.word(look.verb());
    if matches!(verb, Some("Call" | "Trigger")) {
        let equals = look.find(&["="])?;
        if equals == bar + 1 {
            let hint = "write: x | E = Call …";
            return wrong(look.span(bar), "a variable for the error is missing behind |", hint);
        }
        let (start, _) = look.span(bar + 1);
        let (_, end) = look.span(equals.saturating_sub(1));
        let plain = equals == bar + 2 && look.word(bar + 1).is_some_and(|word| !KEYWORDS.contains(&word));
        return (!plain && end > start).then(|| {
            let hint = "write: x | E = Call …";
            Verdict::new(Code::Syntax, (start, end), "the error goes to a plain variable", hint)
        });
    }
    if let Some(call) =
        look.find(&["Call", "Trigger"]).filter(|call| *call > bar && look.find(&["="]).is_none())
    {
        let (at, _) = look.span(call);
        return wrong((at, at), "`=` is missing before it", "write: x | E = Call …");
    }
    let hint = "only Call and Trigger have errors to catch: x | E = Call …";
    wrong(look.span(bar), "| can't stand here", hint)
}

/// `x = a is b`
fn compared_value(look: &Look<'_>) -> Option<Verdict> {
    let equals = look.find(&["="])?;
    let is = look.find(&["is", "and", "or", "not"]).filter(|is| *is > equals && look.apart(*is))?;
    let verb = look.verb();
    if look.word(verb).is_some_and(|word| VERBS.contains(&word)) {
        return None;
    }
    let hint = "a comparison has no value; write: When a is b, and indented below it x = true";
    wrong(look.span(is), format!("`{}` can't stand in an assignment", look.piece(is)), hint)
}

/// `When x`, `When not x`, `When x is a or b`, `When x is`
fn condition(look: &Look<'_>) -> Option<Verdict> {
    let from = match (look.word(0), look.word(1)) {
        (Some("When"), _) => 1,
        (Some("Quit"), Some("When")) => 2,
        _ => return None,
    };
    if let Some(number) = look.find(&["Is", "IS", "And", "AND", "Or", "OR", "Not", "NOT"]) {
        let meant = look.piece(number).to_ascii_lowercase();
        return wrong(look.span(number), format!("`{}` is written {meant}", look.piece(number)), shape(look));
    }
    let mut begin = from;
    while begin <= look.tokens.len() {
        let connects =
            |number: &usize| matches!(look.word(*number), Some("and" | "or")) && look.apart(*number);
        let end = (begin..look.tokens.len()).find(connects).unwrap_or(look.tokens.len());
        if let Some(verdict) = compared(look, begin, end) {
            return Some(verdict);
        }
        begin = end + 1;
    }
    None
}

/// One comparison of a condition: the tokens from `begin` to before `end`.
fn compared(look: &Look<'_>, begin: usize, end: usize) -> Option<Verdict> {
    let connective = if end < look.tokens.len() { end } else { begin.saturating_sub(1) };
    if begin >= end {
        let message = format!("a comparison is missing beside `{}`", look.piece(connective));
        return wrong(look.span(connective), message, shape(look));
    }
    let span = (look.span(begin).0, look.span(end - 1).1);
    if let Some(number) =
        (begin..end).find(|number| look.word(*number).is_some_and(|word| VERBS.contains(&word)))
    {
        let message = format!("{} can't stand in a condition", look.piece(number));
        return wrong(
            look.span(number),
            message,
            "put the statement in the next line, indented below the condition",
        );
    }
    if look.word(begin) == Some("not") {
        return wrong(look.span(begin), "not stands behind is", "write: When x is not true");
    }
    let early = |number: &usize| look.word(*number) == Some("not") && look.word(number + 1) == Some("is");
    if let Some(not) = (begin..end).find(early) {
        return wrong(look.span(not), "not stands behind is", "write: When x is not true");
    }
    let Some(is) = (begin..end).find(|number| look.word(*number) == Some("is") && look.apart(*number)) else {
        let hint = "a condition compares two values: When x is true; When x is 1 or x is 2";
        return wrong(span, "this is no comparison", hint);
    };
    let last = if look.word(is + 1) == Some("not") { is + 1 } else { is };
    if is == begin || last + 1 >= end {
        return wrong(
            look.span(is),
            "a value is missing beside `is`",
            "write: When a is b, or: When a is not b",
        );
    }
    None
}

/// Blanks around `#`, or a routine without it.
fn hash(look: &Look<'_>) -> Option<Verdict> {
    let verb = look.verb();
    let number = look.find(&["#"])?;
    if verb > 0 && look.word(verb).is_some_and(|word| !VERBS.contains(&word)) {
        let span = (look.span(verb).0, look.span(number + 1).1);
        return wrong(span, "a routine is called with Call", shape_of("Call"));
    }
    if look.word(verb) != Some("Call") {
        return None;
    }
    if look.apart(number) || look.apart(number + 1) {
        return wrong(
            look.span(number),
            "no blanks stand around #",
            "write: Call package.interface#function",
        );
    }
    None
}

/// `Call x`, `Call a.b.c "x"`: a routine or method is missing.
fn method(look: &Look<'_>) -> Option<Verdict> {
    let verb = look.verb();
    if look.word(verb) != Some("Call") || look.has("#") {
        return None;
    }
    let second = (verb + 2..look.tokens.len()).find(|number| look.apart(*number));
    match second {
        Some(number) if look.word(number).is_some() => None,
        Some(number) => {
            wrong(look.span(number), "a method's name stands here, before the arguments", shape(look))
        }
        None => wrong((look.span(verb).0, look.text.len()), "the routine has no function", shape(look)),
    }
}

/// Keywords of two words.
fn spaced_keyword(look: &Look<'_>) -> Option<Verdict> {
    for (first, second) in [("Iterate", "over"), ("times", "max")] {
        let Some(number) = look.find(&[first]) else { continue };
        let (start, end) = (look.span(number).0, look.span(number + 1).1);
        if look.word(number + 1) == Some(second)
            && look.text.get(start..end).is_some_and(|text| text != format!("{first} {second}"))
        {
            let message = format!("exactly one blank stands between {first} and {second}");
            return wrong((start, end), message, shape(look));
        }
        if look.word(number + 1) != Some(second) && look.word(look.verb()) != Some("Log") {
            return wrong(look.span(number), format!("`{second}` is missing behind {first}"), shape(look));
        }
    }
    let verb = look.verb();
    if look.word(verb) == Some("Repeat") && !look.has("times") {
        return wrong((look.span(verb).0, look.text.len()), "`times max` is missing", shape(look));
    }
    if look.word(verb) == Some("Repeat")
        && matches!(look.piece(verb + 1), "-") | (look.kind(verb + 1) == Some(Kind::Text))
    {
        return wrong(look.span(verb + 1), "Repeat takes a whole number or a variable", shape(look));
    }
    if look.word(verb) == Some("Iterate") && !look.has("using") {
        return wrong(
            (look.span(verb).0, look.text.len()),
            "`using` and a variable are missing",
            shape(look),
        );
    }
    if look.word(0) == Some("Match") && look.word(look.tokens.len().saturating_sub(1)) != Some("to") {
        return wrong(look.whole(), "`to` is missing at the end", shape(look));
    }
    None
}

fn finish(look: &Look<'_>) -> Option<Verdict> {
    if look.word(0) != Some("Finish") {
        return None;
    }
    let what = match (look.kind(1)?, look.piece(1)) {
        (Kind::Number, _) | (_, "-") => "a number",
        (_, "null") => "null",
        _ => return None,
    };
    let hint = "Finish takes true, false, a string (the person's id) or a variable with a map: {success: true, data: {userId: id}}";
    wrong((look.span(1).0, look.text.len()), format!("a flow can't finish with {what}"), hint)
}

fn template(look: &Look<'_>) -> Option<Verdict> {
    let verb = look.verb();
    if look.word(verb) != Some("RRF") || look.kind(verb + 1) == Some(Kind::Text) {
        return None;
    }
    let hint =
        "write the template's path as a string: RRF \"login.html\" model; use When to choose between pages";
    wrong(look.span(verb + 1), "RRF takes its template as a literal string", hint)
}

fn flow_name(look: &Look<'_>) -> Option<Verdict> {
    let verb = look.verb();
    if look.word(verb) != Some("Trigger") {
        return None;
    }
    match (look.kind(verb + 1)?, look.piece(verb + 1)) {
        (Kind::Text, _) => {
            let hint =
                "write: Trigger its.qualified.name; or Trigger $variable, for a name that a variable holds";
            wrong(look.span(verb + 1), "a flow's name is no string", hint)
        }
        (_, "$") if look.apart(verb + 2) => {
            wrong(look.span(verb + 1), "no blank stands behind $", "write: Trigger $variable")
        }
        _ => None,
    }
}

/// `x[a.b]`, `x["a"]`, `x[-1]`
fn index(look: &Look<'_>) -> Option<Verdict> {
    let stopped = look.stopped();
    let open = (0..=stopped.min(look.tokens.len().saturating_sub(1)))
        .rev()
        .find(|number| look.piece(*number) == "[" && !look.apart(*number) && *number > 0)?;
    let close = (open..look.tokens.len()).find(|number| look.piece(*number) == "]");
    if close.is_some_and(|close| close < stopped)
        || look.kind(open.saturating_sub(1)) == Some(Kind::Sign) && look.piece(open - 1) != "]"
    {
        return None;
    }
    let Some(close) = close else {
        return wrong(look.span(open), "this bracket is not closed", "write x[0] or x[i]");
    };
    let end = look.span(close).1;
    let hint = if look.kind(open + 1) == Some(Kind::Text) {
        "write x.\"key\", or x.$name with a variable that holds the key"
    } else {
        "assign it to a variable first: x[i]; a key that is text is written x.name, x.\"odd name\" or x.$name"
    };
    wrong((look.span(open).0, end), "an index is a whole number or a plain variable", hint)
}

fn number(look: &Look<'_>) -> Option<Verdict> {
    let stopped = look.stopped();
    let stuck =
        look.piece(stopped) == "." && look.kind(stopped + 1) == Some(Kind::Number) && look.apart(stopped);
    if stuck {
        let hint = format!("write 0.{}", look.piece(stopped + 1));
        return wrong((look.span(stopped).0, look.span(stopped + 1).1), "a number begins with a digit", hint);
    }
    let sign = if look.piece(stopped) == "-" { stopped + 1 } else { stopped };
    if look.kind(sign) != Some(Kind::Number) {
        return None;
    }
    let text = look.piece(sign);
    if sign == 0 {
        return wrong(look.span(0), "a name begins with a letter", "names are made of letters, digits and _");
    }
    if !text.chars().all(|c| c.is_ascii_digit() || c == '.')
        || text.ends_with('.')
        || text.matches('.').count() > 1
    {
        let hint = "numbers are written 12, -3 or 2.5: no exponent, no hexadecimal, no separators";
        return wrong(look.span(sign), format!("`{text}` is no number"), hint);
    }
    None
}

/// `x.oh-me`
fn dash(look: &Look<'_>) -> Option<Verdict> {
    let number = look.stopped();
    if look.piece(number) != "-" || look.apart(number) || look.word(number.checked_sub(1)?).is_none() {
        return None;
    }
    if matches!(look.word(look.verb()), Some("Trigger" | "Call"))
        && look.piece(number.saturating_sub(2)) != "."
    {
        let hint = "names are made of letters, digits and _";
        return wrong((look.span(number - 1).0, look.span(number + 1).1), "a name holds no dash", hint);
    }
    let hint = format!(
        "write x.\"{}-{}\" for a property with a dash; names are made of letters, digits and _",
        look.piece(number - 1),
        look.piece(number + 1)
    );
    wrong((look.span(number - 1).0, look.span(number + 1).1), "a name holds no dash", hint)
}

/// `x .y`, `x [0]`
fn detached(look: &Look<'_>) -> Option<Verdict> {
    let number = look.stopped();
    let before = number.checked_sub(1)?;
    if !matches!(look.piece(number), "." | "[")
        || !look.apart(number)
        || look.kind(before) != Some(Kind::Word)
    {
        return None;
    }
    if VERBS.contains(&look.piece(before)) {
        return None;
    }
    let message = format!("no blank stands before `{}`", look.piece(number));
    wrong(look.span(number), message, "write x.name and x[0]")
}

/// Two values, two `=`, a variable alone, a minus before something else.
fn words(look: &Look<'_>) -> Option<Verdict> {
    let number = look.stopped();
    if look.piece(0).starts_with('_') && number == 0 {
        return wrong(look.span(0), "a name begins with a letter", "delete the underscore at the beginning");
    }
    let minus = number.checked_sub(1).filter(|before| look.piece(*before) == "-").or(Some(number))?;
    if look.piece(minus) == "-" && look.find(&["="]).is_some_and(|equals| equals < minus) {
        return wrong(
            look.span(minus),
            "a minus stands directly before a number or a variable",
            "write -5 or -x",
        );
    }
    let before = number.checked_sub(1).map_or("", |before| look.piece(before));
    if matches!(before, "." | "$") && !look.apart(number.saturating_sub(1)) {
        let message = format!("a name is missing behind `{before}`");
        return wrong(
            look.span(number - 1),
            message,
            "write x.name, x.\"odd name\" or x.$variable, without blanks",
        );
    }
    if look.piece(number) == "=" && look.find(&["="]).is_some_and(|first| first < number) {
        return wrong(
            look.span(number),
            "one statement assigns once",
            "write each assignment in a line of its own",
        );
    }
    if look.piece(number) == "," {
        return wrong(
            look.span(number),
            "no comma stands here",
            "arguments have blanks between them: Call a.b#c x y",
        );
    }
    let alone = number >= look.tokens.len() && look.word(0).is_some_and(|word| !KEYWORDS.contains(&word));
    if alone && look.find(&["=", "|"]).is_none() && (1..look.tokens.len()).all(|number| !look.apart(number)) {
        let hint = "assign it (x = value), pass it on, or Log it";
        return wrong(look.whole(), "a variable alone is no statement", hint);
    }
    None
}

/// A keyword where a name must stand, a header word in the body.
fn keyword(look: &Look<'_>) -> Option<Verdict> {
    let hint = "use another name; behind a dot keywords are allowed: x.to";
    match look.word(0) {
        Some("Flow") => {
            return wrong(look.whole(), "a file holds one flow", "put the other flow into a file of its own");
        }
        Some(word @ ("Basepath" | "Timeout" | "Configs" | "Inputs")) => {
            let hint = "the header's lines are indented below Flow, at the beginning of the file";
            return wrong(look.whole(), format!("{word} belongs into the header"), hint);
        }
        Some(word) if KEYWORDS.contains(&word) && matches!(look.piece(1), "=" | "|" | "[") => {
            return wrong(look.span(0), format!("`{word}` is a keyword and can't be a name"), hint);
        }
        _ => {}
    }
    let verb = look.verb();
    if let (true, Some(word @ ("Log" | "Finish" | "When" | "Otherwise" | "Match" | "Quit"))) =
        (verb > 0, look.word(verb))
    {
        return wrong(look.span(verb), format!("{word} gives no value"), "begin the line with it");
    }
    let number = look.stopped();
    let word = look.word(number).filter(|word| KEYWORDS.contains(word))?;
    if number > 0 && VERBS.contains(&word) {
        let hint = "put it in the next line; inside a block, indented below the line that opens it";
        return wrong(look.span(number), format!("{word} begins a statement of its own"), hint);
    }
    (number > 0).then(|| {
        Verdict::new(
            Code::Syntax,
            look.span(number),
            format!("`{word}` is a keyword and can't stand here"),
            hint,
        )
    })
}
