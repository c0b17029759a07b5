//! The questions an editor can ask, and which file answers them.

use lsp_server::ErrorCode;
use lsp_types::request::{
    CodeActionRequest, Completion, DocumentHighlightRequest, DocumentSymbolRequest, FoldingRangeRequest,
    Formatting, GotoDefinition, HoverRequest, PrepareRenameRequest, References, Rename, Request,
    SemanticTokensFullRequest, SignatureHelpRequest, WorkspaceSymbolRequest,
};
use lsp_types::{TextDocumentPositionParams, Uri};
use serde_json::{Value, json};

use crate::document::Document;
use crate::server::Server;
use crate::{actions, completion, folding, highlight, hover, layout, navigate, outline, rename, signature};

/// Why there is no answer.
pub(crate) type Refusal = (ErrorCode, String);

/// Answers a question.
pub(crate) fn answer(server: &Server, method: &str, params: Value) -> Result<Value, Refusal> {
    match method {
        Completion::METHOD => on::<Completion>(server, params, |server, params| {
            at(server, &params.text_document_position, completion::complete)
        }),
        SignatureHelpRequest::METHOD => on::<SignatureHelpRequest>(server, params, |server, params| {
            at(server, &params.text_document_position_params, signature::help)
        }),
        HoverRequest::METHOD => on::<HoverRequest>(server, params, |server, params| {
            at(server, &params.text_document_position_params, hover::hover)
        }),
        GotoDefinition::METHOD => on::<GotoDefinition>(server, params, |server, params| {
            at(server, &params.text_document_position_params, navigate::definition)
        }),
        References::METHOD => on::<References>(server, params, |server, params| {
            let declared = params.context.include_declaration;
            at(server, &params.text_document_position, |server, document, offset| {
                navigate::references(server, document, offset, declared)
            })
        }),
        DocumentHighlightRequest::METHOD => {
            on::<DocumentHighlightRequest>(server, params, |server, params| {
                at(server, &params.text_document_position_params, |_, document, offset| {
                    navigate::highlights(document, offset)
                })
            })
        }
        DocumentSymbolRequest::METHOD => on::<DocumentSymbolRequest>(server, params, |server, params| {
            Ok(json!(of(server, &params.text_document.uri).map(outline::outline)))
        }),
        WorkspaceSymbolRequest::METHOD => on::<WorkspaceSymbolRequest>(server, params, |server, params| {
            Ok(json!(outline::flows(server, &params.query)))
        }),
        PrepareRenameRequest::METHOD => on::<PrepareRenameRequest>(server, params, |server, params| {
            let document = known(server, &params.text_document.uri)?;
            Ok(json!(rename::prepare(document, document.text.offset(params.position))?))
        }),
        Rename::METHOD => on::<Rename>(server, params, |server, params| {
            let place = params.text_document_position;
            let document = known(server, &place.text_document.uri)?;
            let offset = document.text.offset(place.position);
            Ok(json!(rename::rename(server, document, offset, &params.new_name)?))
        }),
        Formatting::METHOD => on::<Formatting>(server, params, |server, params| {
            let document = known(server, &params.text_document.uri)?;
            Ok(json!(layout::format(server, document)?))
        }),
        CodeActionRequest::METHOD => on::<CodeActionRequest>(server, params, |server, params| {
            let document = of(server, &params.text_document.uri);
            Ok(json!(document.map(|document| actions::actions(server, document, params.range))))
        }),
        SemanticTokensFullRequest::METHOD => {
            on::<SemanticTokensFullRequest>(server, params, |server, params| {
                Ok(json!(of(server, &params.text_document.uri).map(highlight::tokens)))
            })
        }
        FoldingRangeRequest::METHOD => on::<FoldingRangeRequest>(server, params, |server, params| {
            Ok(json!(of(server, &params.text_document.uri).map(|document| folding::ranges(&document.text))))
        }),
        _ => Err((ErrorCode::MethodNotFound, format!("this server does not know {method}"))),
    }
}

fn on<R: Request>(
    server: &Server,
    params: Value,
    work: impl FnOnce(&Server, R::Params) -> Result<Value, Refusal>,
) -> Result<Value, Refusal> {
    let params = serde_json::from_value(params)
        .map_err(|error| (ErrorCode::InvalidParams, format!("{}: {error}", R::METHOD)))?;
    work(server, params)
}

/// A question about a place. About a file that is not open there is nothing to say.
fn at<T: Into<Value>>(
    server: &Server,
    place: &TextDocumentPositionParams,
    work: impl FnOnce(&Server, &Document, usize) -> T,
) -> Result<Value, Refusal> {
    let Some(document) = of(server, &place.text_document.uri) else { return Ok(Value::Null) };
    Ok(work(server, document, document.text.offset(place.position)).into())
}

fn of<'a>(server: &'a Server, uri: &Uri) -> Option<&'a Document> {
    server.document(uri)
}

fn known<'a>(server: &'a Server, uri: &Uri) -> Result<&'a Document, Refusal> {
    let reason = || (ErrorCode::InvalidParams, format!("{} is not open", uri.as_str()));
    of(server, uri).ok_or_else(reason)
}
