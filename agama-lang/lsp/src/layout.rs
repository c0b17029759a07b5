//! Formatting: the canonical layout as one edit.

use lsp_types::{Range, TextEdit};

use crate::document::Document;
use crate::requests::Refusal;
use crate::server::Server;
use crate::text::Text;

/// Answers `textDocument/formatting`. A text that can't be read stays as it is: its errors are shown already.
pub(crate) fn format(server: &Server, document: &Document) -> Result<Vec<TextEdit>, Refusal> {
    let Some(format) = server.format else {
        return Err((lsp_server::ErrorCode::MethodNotFound, "this server has no formatter".to_owned()));
    };
    let Ok(wanted) = format(document.text.source(), &document.name()) else { return Ok(Vec::new()) };
    Ok(edit(&document.text, &wanted).into_iter().collect())
}

/// The edit that turns a text into another; as small as whole lines allow, so that the cursor stays where it is.
fn edit(text: &Text, wanted: &str) -> Option<TextEdit> {
    let source = text.source();
    if source == wanted {
        return None;
    }
    let start = common(source.split_inclusive('\n'), wanted.split_inclusive('\n'));
    let (rest, wanted) = (source.get(start..)?, wanted.get(start..)?);
    let end = common(rest.split_inclusive('\n').rev(), wanted.split_inclusive('\n').rev());
    let range = Range::new(text.position(start), text.position(source.len() - end));
    Some(TextEdit::new(range, wanted.get(..wanted.len() - end)?.to_owned()))
}

/// How many bytes the lines have that both begin with.
fn common<'a>(one: impl Iterator<Item = &'a str>, other: impl Iterator<Item = &'a str>) -> usize {
    one.zip(other).take_while(|(one, other)| one == other).map(|(line, _)| line.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::edit;
    use crate::text::Text;

    #[test]
    fn the_edit_covers_only_what_differs_and_leads_to_the_wanted_text() {
        for (from, to, changed) in [
            ("a\nb \nc\n", "a\nb\nc\n", "b\n"),
            ("a\nb", "a\nb\n", "b\n"),
            ("x\n\n\ny\n", "x\n\ny\n", ""),
            ("x\n", "x\nx\n", "x\n"),
            ("é🦎\r\nb", "é🦎\nb\n", "é🦎\nb\n"),
            ("a\na\n", "a\n", ""),
            ("", "a\n", "a\n"),
        ] {
            let text = Text::new(from.to_owned());
            let edit = edit(&text, to).unwrap();
            assert_eq!(edit.new_text, changed, "{from:?}");
            let mut result = from.to_owned();
            result.replace_range(text.offset(edit.range.start)..text.offset(edit.range.end), &edit.new_text);
            assert_eq!(result, to, "{from:?}");
        }
        assert_eq!(edit(&Text::new("a\n".to_owned()), "a\n"), None);
    }
}
