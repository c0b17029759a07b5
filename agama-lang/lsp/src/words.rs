//! What is said of each word of the language.

/// A word, how it is written, and what it does.
pub(crate) struct Word {
    /// As it begins a statement or stands in one.
    pub(crate) word: &'static str,
    /// What choosing it inserts.
    pub(crate) inserts: &'static str,
    /// How it is written.
    pub(crate) shape: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Where it stands.
    pub(crate) place: Stands,
}

/// Where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// Begins a flow.
    Flow,
    /// Begins a line of the header.
    Header,
    /// Begins a statement.
    Statement,
    /// Begins a statement, or follows `=`.
    Valued,
    /// Stands for a value.
    Value,
    /// Stands inside a statement.
    Inside,
}

macro_rules! words {
    ($($word:literal $inserts:literal $place:ident $shape:literal $about:literal)*) => {
        /// Every word.
        pub(crate) const WORDS: &[Word] = &[
            $(Word { word: $word, inserts: $inserts, shape: $shape, about: $about, place: Stands::$place },)*
        ];
    };
}

words! {
    "Flow" "Flow " Flow "Flow its.qualified.name"
        "Begins a flow. The name is that of the file, without `.flow`. The header's lines are indented below it; the statements start in column 1."
    "Basepath" "Basepath \"" Header "Basepath \"folder\""
        "The folder of this flow's templates, below `web/`. First in the header, and always there; may be `\"\"`."
    "Timeout" "Timeout " Header "Timeout 300 seconds"
        "How long the flow may take as a whole. Only that of the flow that was started counts, not those of its subflows."
    "Configs" "Configs " Header "Configs conf"
        "The variable that receives this flow's properties, from `configs` in `project.json`."
    "Inputs" "Inputs " Header "Inputs first second"
        "The variables that receive what `Trigger` passes, in this order. What is not passed is null."
    "Log" "Log " Statement "Log \"@warn text with %\" value"
        "Writes to the log. Each `%` in the first text is replaced by the next argument. `@error`, `@warn`, `@info`, `@debug`, `@trace` at its start set the level; it is info otherwise. Secrets show as `•••`."
    "Finish" "Finish " Statement "Finish person.id"
        "Ends the flow. A text names the person who is logged in; `true` and `false` say only whether it went well; a map with `success` says everything: `{success: true, data: {userId: id}}`. To a `Trigger` it is the result."
    "RRF" "RRF \"" Valued "form = RRF \"login.html\" model"
        "Shows a page and waits for its form. The template is looked up below the flow's `Basepath`; the model is a map whose keys the template sees. The result is a map of the form's fields. With `true` at the end, a call of the callback address goes on too."
    "RFAC" "RFAC " Valued "answer = RFAC url"
        "Sends the browser to another site and waits until it comes back to `/flow/callback`. The result is a map of the parameters it brings."
    "Call" "Call " Valued "x | E = Call package.interface#function first second"
        "Calls a routine of the server or of a plugin. With `| E` an error does not end the flow: `E` holds it, and is null otherwise. `Call object method` calls a method of an object."
    "Trigger" "Trigger " Valued "result | E = Trigger other.flow first second"
        "Runs another flow and takes what it finishes with: `result.success`, `result.data`. `Trigger $variable` runs the flow whose name a variable holds. Indented below may stand `Override templates`."
    "When" "When " Statement "When a is b and c is not null"
        "Runs what is indented below when the condition holds; what is below `Otherwise`, in the same column, when not. Conditions compare with `is` and `is not` and are joined with `and`, which binds tighter, and `or`."
    "Otherwise" "Otherwise" Statement "Otherwise"
        "Follows the block of a `When` or `Match` in the same column, once, and runs when the condition did not hold or no label fitted."
    "Match" "Match " Statement "Match value to"
        "Compares a value with the labels indented below, in order, and runs what is below the first that is equal; what is below `Otherwise` when none is."
    "Repeat" "Repeat " Valued "n = Repeat 3 times max"
        "Runs what is indented below so many times, or until `Quit When`. The result counts the complete rounds; `idx[0]` counts from 0 inside."
    "Iterate over" "Iterate over " Valued "n = Iterate over list using item"
        "Runs what is indented below once for each element of a list, key of a map or character of a text. The result counts the complete rounds."
    "Quit When" "Quit When " Statement "Quit When done is true"
        "Leaves the innermost loop when the condition holds. Stands directly in the loop, once, and not first."
    "Override templates" "Override templates \"" Inside "Override templates \"sub/login.html\" \"own.html\""
        "Below `Trigger`: shows own templates in place of those of the subflow. Pairs of paths: the one that the subflow shows, from `web/`, and the replacement below this flow's `Basepath`. A page overridden here can be left with the form field `_abort`."
    "is" "is " Inside "a is b"
        "Compares. Texts, numbers, true and false compare by value; lists and maps only equal themselves. `null is null` holds, so a missing field equals a missing secret: test `is not null` first."
    "not" "not " Inside "a is not b" "Turns the comparison round."
    "and" "and " Inside "When a is b and c is d" "Both must hold; the second is looked at only when the first does. Binds tighter than `or`."
    "or" "or " Inside "When a is b or c is d" "One must hold; the second is looked at only when the first does not."
    "to" "to" Inside "Match value to" "Ends the line of a `Match`."
    "using" "using " Inside "Iterate over list using item" "The variable behind it takes each element in turn."
    "times max" "times max" Inside "Repeat 3 times max" "Ends the line of a `Repeat`."
    "seconds" "seconds" Inside "Timeout 300 seconds" "Ends the line of `Timeout`."
    "null" "null" Value "null" "No value: a variable that was not assigned yet, a property that is not there."
    "true" "true" Value "true" "Yes."
    "false" "false" Value "false" "No."
}

/// A word of the language, by the word as it stands in the source: `Iterate` finds `Iterate over`.
pub(crate) fn find(word: &str) -> Option<&'static Word> {
    WORDS.iter().find(|known| known.word == word || known.word.split(' ').any(|part| part == word))
}

#[cfg(test)]
mod tests {
    use super::find;
    use agama_lang::symbols::KEYWORDS;

    #[test]
    fn something_is_said_of_every_keyword() {
        for word in KEYWORDS {
            assert!(find(word).is_some_and(|word| !word.about.is_empty()), "{word}");
        }
        assert!(find("max").is_some() && find("over").is_some() && find("templates").is_some());
        assert!(find("user").is_none());
    }
}
