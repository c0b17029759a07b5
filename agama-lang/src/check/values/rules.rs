//! What is reported of values: each rule looks at each reachable node, with what is known there.

mod compare;
mod login;
mod misuse;
mod null;
mod secret;

use super::Analysis;
use super::state::State;
use crate::ast::Span;
use crate::check::cfg::{Kind, NodeId};
use crate::diagnostic::Sink;

pub(super) use login::all_proved;

/// One node, and what is known before it.
struct Here<'a, 'f> {
    id: NodeId,
    kind: Kind<'f>,
    span: Span,
    state: &'a State,
}

pub(super) fn check(analysis: &mut Analysis<'_, '_>, sink: &mut Sink<'_>) {
    for id in analysis.cfg.order() {
        let (Some(node), Some(state)) = (analysis.cfg.node(*id), analysis.state(*id)) else { continue };
        let here = Here { id: *id, kind: node.kind, span: node.span, state };
        null::check(analysis, &here, sink);
        compare::check(analysis, &here, sink);
        secret::check(analysis, &here, sink);
        misuse::check(analysis, &here, sink);
    }
    login::check(analysis, sink);
}
