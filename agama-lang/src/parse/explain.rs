//! What is wrong with a line that is no statement. Habits from other languages get their own answer.

use crate::diagnostic::{Code, Sink};
use crate::layout::Line;

/// A habit: how to tell it, what to say, the Agama way.
struct Habit {
    fits: fn(&str) -> bool,
    message: &'static str,
    hint: &'static str,
}

const HABITS: &[Habit] = &[
    Habit {
        fits: |text| words(text).starts_with(&["Otherwise", "When"]),
        message: "there is no Otherwise When",
        hint: "write Otherwise, and indented below it another When; or use Match",
    },
    Habit {
        fits: |text| matches!(first(text), "if" | "else" | "elif" | "elseif" | "switch"),
        message: "Agama has no if or else",
        hint: "write: When x is y … Otherwise …",
    },
    Habit {
        fits: |text| matches!(first(text), "for" | "while" | "do"),
        message: "Agama has no for or while",
        hint: "write: Iterate over list using item, or: Repeat 3 times max",
    },
    Habit {
        fits: |text| matches!(first(text), "function" | "def" | "fn" | "return" | "let" | "var" | "const"),
        message: "Agama has no functions and no declarations",
        hint: "a subflow is a file of its own, called with Trigger; a variable exists once it is assigned; a flow ends with Finish",
    },
    Habit {
        fits: |text| text.starts_with("/*") || text.starts_with('*') || text.starts_with('#'),
        message: "only // begins a comment",
        hint: "put // before each line of the comment",
    },
    Habit {
        fits: |text| outside(text).contains("==") || outside(text).contains("!="),
        message: "values are compared with words",
        hint: "write: When a is b, or: When a is not b",
    },
    Habit {
        fits: |text| outside(text).contains("&&") || outside(text).contains("||"),
        message: "conditions are joined with words",
        hint: "write: When a is b and c is d, or with or",
    },
    Habit {
        fits: |text| first(text) == "When" && (outside(text).contains('<') || outside(text).contains('>')),
        message: "there is no < or > in Agama",
        hint: "let a routine compare, for example a plugin's function, and test its result with is",
    },
    Habit {
        fits: |text| outside(text).ends_with(';'),
        message: "a statement ends with its line",
        hint: "delete the semicolon",
    },
    Habit {
        fits: |text| text.contains('\'') && !text.contains('"'),
        message: "strings stand in double quotes",
        hint: "write \"text\"",
    },
    Habit {
        fits: |text| text.contains("\\\""),
        message: "a quote can't be escaped with a backslash",
        hint: "write \\u0022 for a quote inside a string",
    },
    Habit {
        fits: |text| outside(text).matches('"').count() % 2 == 1,
        message: "this string is not closed",
        hint: "a string ends in the line it begins in, with a double quote",
    },
    Habit {
        fits: |text| arguments_hold_literal(text),
        message: "a list or map can't be an argument",
        hint: "assign it to a variable in a line before, and pass the variable",
    },
    Habit {
        fits: |text| outside(text).contains('=') && has_operator(text),
        message: "Agama has no arithmetic and no string joining",
        hint: "let a routine do it: x = Call … a b",
    },
    Habit {
        fits: |text| outside(text).contains(":=") || assignment_with_colon(text),
        message: "a value is assigned with =",
        hint: "write: name = value",
    },
    Habit {
        fits: |text| outside(text).contains('(') || outside(text).contains(')'),
        message: "there are no parentheses in Agama",
        hint: "write: x = Call package.interface#function first second",
    },
];

/// Reports the line; `at` is the offset up to which the grammar understood it.
pub(super) fn explain(line: &Line, at: usize, sink: &mut Sink<'_>) {
    if let Some(habit) = HABITS.iter().find(|habit| (habit.fits)(&line.text)) {
        sink.error(Code::OtherLanguage, line.whole(), habit.message, habit.hint);
        return;
    }
    let at = at.min(line.text.len());
    let rest = line.text.get(at..).unwrap_or_default();
    let word = rest.split([' ', '\t']).next().unwrap_or_default();
    let span = line.span(at, at + word.len());
    let message = if rest.is_empty() {
        "the line ends too early".to_owned()
    } else if at == 0 {
        format!("`{}` begins no statement", first(&line.text))
    } else {
        format!("`{word}` can't stand here")
    };
    sink.error(Code::Syntax, if at == 0 { line.whole() } else { span }, message, shape(&line.text));
}

/// How the statement that the line seems to be is written.
fn shape(text: &str) -> &'static str {
    let has = |word: &str| words(text).contains(&word);
    match first(text) {
        "When" => "write: When a is b, with `is not`, `and`, `or`",
        "Quit" => "write: Quit When a is b",
        "Match" => "write: Match value to, and indented below it the labels",
        "Log" => "write: Log \"text with %\" value",
        "Finish" => "Finish takes true, false, a string or a variable",
        _ if has("RRF") => "write: form = RRF \"template.html\" model",
        _ if has("RFAC") => "write: answer = RFAC url",
        _ if has("Trigger") => "write: result = Trigger qualified.flow.name argument",
        _ if has("Call") => {
            "write: x = Call package.interface#function argument, or: x = Call object method argument"
        }
        _ if has("Repeat") => "write: n = Repeat 3 times max",
        _ if has("Iterate") => "write: n = Iterate over list using item",
        _ => {
            "a statement is an assignment (name = value), or begins with Log, Finish, RRF, RFAC, Call, Trigger, When, Match, Repeat, Iterate over"
        }
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split([' ', '\t', '=', '|']).filter(|word| !word.is_empty()).collect()
}

fn first(text: &str) -> &str {
    text.split([' ', '\t', '(', '{']).next().unwrap_or_default()
}

/// The text with the content of strings blanked out; an unclosed quote stays.
fn outside(text: &str) -> String {
    let mut parts = text.split('"').collect::<Vec<_>>();
    let open = if parts.len() % 2 == 0 { parts.pop() } else { None };
    let mut shown: String = parts.iter().step_by(2).copied().collect::<Vec<_>>().join("\"\"");
    if open.is_some() {
        shown.push('"');
    }
    shown
}

fn arguments_hold_literal(text: &str) -> bool {
    let outside = outside(text);
    let calls = ["Call", "Trigger", "Log", "RRF", "Finish"].iter().any(|word| words(&outside).contains(word));
    calls && (outside.contains('{') || outside.contains(" ["))
}

fn has_operator(text: &str) -> bool {
    let outside = outside(text);
    ["+", " - ", " * ", " / "].iter().any(|operator| outside.contains(operator))
}

fn assignment_with_colon(text: &str) -> bool {
    let outside = outside(text);
    !outside.contains('=') && outside.contains(':') && !outside.contains('{')
}
