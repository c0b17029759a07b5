//! What other languages write, and what Agama has instead. The first rule that knows the line speaks.

use super::Verdict;
use super::shapes::shape;
use super::tokens::{KEYWORDS, Kind, Look, VERBS};
use crate::diagnostic::Code;

/// In the order in which they are asked.
pub(super) const RULES: &[fn(&Look<'_>) -> Option<Verdict>] = &[
    escaped_quote,
    quotes,
    comment,
    otherwise,
    first_word,
    braces,
    semicolon,
    comparison,
    then,
    connective,
    negation,
    assignment,
    colon,
    literal_argument,
    arithmetic,
    parentheses,
];

fn habit(span: (usize, usize), message: impl Into<String>, hint: impl Into<String>) -> Option<Verdict> {
    Some(Verdict::new(Code::OtherLanguage, span, message, hint))
}

fn escaped_quote(look: &Look<'_>) -> Option<Verdict> {
    let escaped = look.text.find("\\\"")?;
    let slashes = look.text.get(..=escaped)?.bytes().rev().take_while(|byte| *byte == b'\\').count();
    // A line that ends behind the quote holds a string that ends with a backslash, or a closed one.
    let goes_on = escaped + 2 < look.text.len();
    if slashes % 2 == 0 || !goes_on {
        return None;
    }
    let hint = "write \\u0022 for a quote inside a string";
    habit((escaped, escaped + 2), "a quote can't be escaped with a backslash", hint)
}

fn quotes(look: &Look<'_>) -> Option<Verdict> {
    let signs = (0..look.tokens.len()).filter(|number| look.kind(*number) == Some(Kind::Sign));
    for number in signs {
        let (start, end) = look.span(number);
        if !matches!(look.piece(number), "'" | "`" | "“" | "”" | "„" | "‘" | "’" | "«" | "»") {
            continue;
        }
        let close = look.text.get(end..).and_then(|rest| rest.char_indices().find(|(_, c)| is_quote(*c)));
        let end = close.map_or(end, |(at, c)| end + at + c.len_utf8());
        return habit((start, end), "strings stand in straight double quotes", "write \"text\"");
    }
    let open = look.tokens.iter().find(|token| token.kind == Kind::Open)?;
    let hint = "a string ends with a double quote, in the line it begins in; \\n is a line break inside it";
    Some(Verdict::new(Code::BadString, (open.start, open.end), "this string is not closed", hint))
}

fn is_quote(c: char) -> bool {
    matches!(c, '\'' | '`' | '“' | '”' | '„' | '‘' | '’' | '«' | '»')
}

fn comment(look: &Look<'_>) -> Option<Verdict> {
    let begins = matches!(look.piece(0), "/*" | "*" | "*/" | "#" | "--" | ";" | "/" | "<" | "%");
    let number = if begins { Some(0) } else { look.find(&["/*", "*/"]) }?;
    habit(
        (look.span(number).0, look.text.len()),
        "only // begins a comment",
        "put // before each line of the comment",
    )
}

fn otherwise(look: &Look<'_>) -> Option<Verdict> {
    match (look.word(0)?, look.piece(1)) {
        ("Otherwise", "When") => habit(
            look.whole(),
            "there is no Otherwise When",
            "write Otherwise, and indented below it another When; or use Match",
        ),
        ("Otherwise", _) => {
            habit(look.span(1), "Otherwise stands alone in its line", "put the statement indented below it")
        }
        _ => None,
    }
}

/// Words that begin statements elsewhere, unless they are a variable here.
fn first_word(look: &Look<'_>) -> Option<Verdict> {
    let word = look.word(0).filter(|word| !KEYWORDS.contains(word) && !VERBS.contains(word))?;
    if matches!(look.piece(1), "=" | "." | "[" | "|") {
        return None;
    }
    let (message, hint) = match word.to_ascii_lowercase().as_str() {
        "if" | "else" | "elif" | "elseif" | "elsif" | "unless" | "then" => {
            ("Agama has no if or else", "write: When x is y … Otherwise …")
        }
        "switch" | "case" | "default" => (
            "Agama has no switch",
            "write: Match value to, indented below it the labels, indented below each its statements; Otherwise for the rest",
        ),
        "for" | "foreach" | "while" | "do" | "loop" | "until" => {
            ("Agama has no for or while", "write: Iterate over list using item, or: Repeat 3 times max")
        }
        "return" => ("a flow returns with Finish", "write: Finish value"),
        "break" | "continue" | "exit" | "goto" => (
            "Agama has no break or continue",
            "write: Quit When x is y, directly in the loop: it leaves that loop",
        ),
        "try" | "catch" | "throw" | "finally" | "raise" | "except" => (
            "Agama has no try or throw",
            "catch the error of a call: x | E = Call …; then test: When E is not null",
        ),
        "import" | "include" | "require" | "from" | "use" | "package" => (
            "nothing is imported in Agama",
            "name the routine in full: Call package.interface#function; a flow: Trigger its.qualified.name",
        ),
        "function" | "func" | "fn" | "def" | "let" | "var" | "const" | "val" | "void" | "public"
        | "private" | "static" | "class" | "int" | "string" | "boolean" => (
            "Agama has no functions and no declarations",
            "a subflow is a file of its own, run with Trigger; a variable exists once it is assigned",
        ),
        "print" | "println" | "printf" | "echo" | "console" | "log" | "debug" => {
            ("Agama writes to the log with Log", "write: Log \"text with %\" value")
        }
        "end" | "endif" | "endfor" | "done" | "fi" | "begin" | "pass" => {
            ("blocks are made by indentation alone", "delete this line")
        }
        _ => return None,
    };
    habit(look.whole(), message, hint)
}

fn braces(look: &Look<'_>) -> Option<Verdict> {
    let last = look.tokens.len().checked_sub(1)?;
    let opens = look.piece(last) == "{"
        && look.word(look.verb()).is_some_and(|word| {
            matches!(word, "When" | "Otherwise" | "Match" | "Repeat" | "Iterate" | "Flow")
        });
    let closes = look.piece(0) == "}";
    let number = if opens {
        last
    } else if closes {
        0
    } else {
        return None;
    };
    let hint = "delete the brace; the statements of a block are indented below the line that opens it";
    habit(look.span(number), "blocks are made by indentation, without braces", hint)
}

fn semicolon(look: &Look<'_>) -> Option<Verdict> {
    let number = look.find(&[";"])?;
    habit(
        look.span(number),
        "a statement ends with its line",
        "delete the semicolon; write each statement in a line of its own",
    )
}

fn comparison(look: &Look<'_>) -> Option<Verdict> {
    let hint = "write: When a is b, or: When a is not b";
    if let Some(number) = look.find(&["==", "===", "!=", "!==", "<>"]) {
        return habit(look.span(number), "values are compared with words", hint);
    }
    let condition = matches!(look.word(0), Some("When" | "Quit" | "Match"));
    let number = look.find(&["<", ">", "<=", ">="]).filter(|number| condition || look.apart(*number));
    if let Some(number) = number {
        let hint = "let a routine compare, for example one of a plugin, and test its result with is";
        return habit(look.span(number), format!("there is no {} in Agama", look.piece(number)), hint);
    }
    let number = look.find(&["="]).filter(|_| matches!(look.word(0), Some("When" | "Quit")))?;
    habit(look.span(number), "= assigns; values are compared with is", hint)
}

/// `When x is y then`
fn then(look: &Look<'_>) -> Option<Verdict> {
    let last = look.tokens.len().checked_sub(1)?;
    let opens = matches!(look.word(0), Some("When" | "Otherwise" | "Repeat" | "Iterate"));
    if !opens || last == 0 || !matches!(look.word(last), Some("then" | "do" | "Then" | "begin")) {
        return None;
    }
    let message = format!("there is no {} in Agama", look.piece(last));
    habit(look.span(last), message, "delete it; the statements are indented below the line")
}

fn connective(look: &Look<'_>) -> Option<Verdict> {
    let number = look.find(&["&&", "||", "&"])?;
    let hint = "write: When a is b and c is d, or with or";
    habit(look.span(number), "conditions are joined with the words and, or", hint)
}

fn negation(look: &Look<'_>) -> Option<Verdict> {
    let number = look.find(&["!", "??", "?", "?."])?;
    let (message, hint) = match look.piece(number) {
        "!" => ("there is no ! in Agama", "write: When x is not true, or: When x is false"),
        _ => ("there is no ? in Agama", "write: When x is null … Otherwise …"),
    };
    habit(look.span(number), message, hint)
}

fn assignment(look: &Look<'_>) -> Option<Verdict> {
    let number = look.find(&[":=", "<-", "=>", "->"])?;
    habit(look.span(number), format!("there is no {} in Agama", look.piece(number)), "write: name = value")
}

fn colon(look: &Look<'_>) -> Option<Verdict> {
    let number = look.find(&[":"])?;
    let before = look.find(&["=", "{"]).is_some_and(|sign| sign < number);
    let literal = look.find(&["{", "["]).is_some_and(|sign| sign < number);
    if !literal && matches!(look.word(look.verb()), Some("RFAC" | "RRF")) {
        return habit(look.span(number), "a path or URL is a string", shape(look));
    }
    if before || look.find(&["Log", "Call", "Trigger"]).is_some() {
        return None;
    }
    if number + 1 == look.tokens.len() && look.verb() == 0 && number > 1 {
        return habit(look.span(number), "a line that opens a block has no colon", "delete the colon");
    }
    habit(look.span(number), "a value is assigned with =", "write: name = value")
}

fn literal_argument(look: &Look<'_>) -> Option<Verdict> {
    let verb = look.verb();
    let word = look.word(verb)?;
    if !matches!(
        word,
        "Call" | "Trigger" | "Log" | "RRF" | "RFAC" | "Finish" | "When" | "Quit" | "Match" | "Iterate"
    ) {
        return None;
    }
    let number = (verb + 1..look.tokens.len())
        .find(|number| look.piece(*number) == "{" || look.piece(*number) == "[" && look.apart(*number))?;
    let end = look.text.rfind(['}', ']']).map_or(look.text.len(), |end| end + 1);
    let what = if look.piece(number) == "{" { "map" } else { "list" };
    let hint = "assign it to a variable in a line before, and use the variable here";
    habit((look.span(number).0, end), format!("a {what} can't stand behind {word}"), hint)
}

fn arithmetic(look: &Look<'_>) -> Option<Verdict> {
    let hint = "let a routine do it: x = Call … a b";
    let message = "Agama has no arithmetic and no string joining";
    if let Some(number) = look.find(&["+", "*", "/", "%", "^", "++", "+=", "-=", "*=", "/="]) {
        let unary = look.piece(number) == "+"
            && !look.apart(number + 1)
            && look.kind(number + 1) == Some(Kind::Number)
            && number.checked_sub(1).is_none_or(|before| look.kind(before) == Some(Kind::Sign));
        if unary {
            return habit(look.span(number), "a number has no plus sign", "delete the +");
        }
        return habit(look.span(number), message, hint);
    }
    let joined = |number: &usize| look.kind(number.saturating_sub(1)) == Some(Kind::Text);
    if let Some(number) = look.find(&["."]).filter(joined) {
        return habit(look.span(number), message, hint);
    }
    let operand =
        |number: &usize| number.checked_sub(1).is_some_and(|before| look.kind(before) != Some(Kind::Sign));
    let number = look
        .find(&["-"])
        .filter(|number| look.apart(*number) && look.apart(*number + 1) && operand(number))?;
    look.has("=").then(|| Verdict::new(Code::OtherLanguage, look.span(number), message, hint))
}

fn parentheses(look: &Look<'_>) -> Option<Verdict> {
    let number = look.find(&["(", ")"])?;
    let before = number.checked_sub(1);
    let word = before.and_then(|before| look.word(before));
    if word.is_some_and(|word| VERBS.contains(&word)) && !look.has("is") {
        return habit(look.span(number), "arguments stand without parentheses", shape(look));
    }
    if word.is_some_and(|word| !KEYWORDS.contains(&word)) && !look.apart(number) {
        let hint = "write: x = Call package.interface#function first second";
        return habit(look.span(number), "a routine is called with Call, without parentheses", hint);
    }
    let hint = "`and` binds tighter than `or`; nest When for other groups";
    habit(look.span(number), "there are no parentheses in Agama", hint)
}
